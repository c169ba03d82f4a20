// What the programs for Node share: a turn for each line on stdin, its outcome as a line of JSON.
import { createInterface } from 'node:readline';

// The classes of an error and its causes, outermost first; codes of the system where there are some.
function chain(error) {
  const names = [];
  for (let one = error; one && names.length < 6; one = one.cause ?? one.lastError) {
    names.push([one.constructor?.name ?? typeof one, one.status ?? one.statusCode ?? one.code].filter(Boolean).join(' '));
  }
  return names;
}

export async function turns(turn) {
  process.on('unhandledRejection', () => {});
  console.log('ready');
  for await (const _ of createInterface({ input: process.stdin })) {
    let told;
    try {
      told = await turn();
    } catch (error) {
      told = { error: chain(error) };
    }
    console.log(JSON.stringify(told));
  }
  process.exit(0);
}
