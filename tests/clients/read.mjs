// Waits until the lines of a selector, or what `pick` takes from them, are those that were sent, in any order.
export async function expectLines(url, selector, sent, pick = (line) => line) {
    const params = new URLSearchParams({ query: selector, direction: "forward", limit: "1000" });
    const want = JSON.stringify([...sent].sort());
    let stored;
    for (const end = Date.now() + 30000; Date.now() < end; ) {
        const answer = await fetch(`${url}/loki/api/v1/query_range?${params}`);
        const streams = (await answer.json()).data.result;
        stored = JSON.stringify(streams.flatMap((stream) => stream.values.map(([, line]) => pick(line))).sort());
        if (stored === want) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`stored ${stored} of ${want}`);
}
