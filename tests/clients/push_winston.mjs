// Logs through winston-loki, as JSON and as snappy protobuf, and reads the lines back.
import winston from "winston";
import LokiTransport from "winston-loki";
import { expectLines } from "./read.mjs";

const url = process.argv[2];
for (const json of [true, false]) {
    const form = json ? "json" : "protobuf";
    const transport = new LokiTransport({
        host: url,
        labels: { client: "winston-loki", form },
        json,
        interval: 1,
        format: winston.format.printf(({ message }) => message),
    });
    const logger = winston.createLogger({ transports: [transport] });
    const sent = [];
    for (let number = 0; number < 20; number++) {
        sent.push(`${form} line ${number}`);
        logger.info(sent[number], json ? { request: { id: number } } : {});
    }
    await expectLines(url, `{client="winston-loki", form="${form}"}`, sent);
}
process.exit(0);
