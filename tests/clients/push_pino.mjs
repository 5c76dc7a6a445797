// Logs through pino-loki and reads the lines back.
import pino from "pino";
import { pinoLoki } from "pino-loki";
import { expectLines } from "./read.mjs";

const url = process.argv[2];
const stream = pinoLoki({ host: url, labels: { client: "pino-loki" }, batching: false });
const logger = pino({ base: null }, stream);
const sent = [];
for (let number = 0; number < 20; number++) {
    logger.info({ number }, "pino line");
    sent.push(number);
}
await expectLines(url, '{client="pino-loki"}', sent, (line) => JSON.parse(line).number);
process.exit(0);
