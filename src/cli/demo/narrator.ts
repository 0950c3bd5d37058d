import { SingleBar } from 'cli-progress';

/** How often progress is told where there is no terminal to draw a bar on. */
const LINES_WITHOUT_TERMINAL = 4;

/** Tells on standard output what the demo does. */
export class Narrator {
  #chapters = 0;

  /** Begins a part of the walk. */
  chapter(title: string): void {
    this.#chapters += 1;
    console.log(`\n${this.#chapters}. ${title}\n`);
  }

  /** One thing that happened. */
  say(line: string): void {
    console.log(`   ${line}`);
  }

  /** Tells the progress of `total` equal steps while `work` runs, which calls `advance` after each. */
  async progress<Result>(
    label: string,
    total: number,
    work: (advance: () => void) => Promise<Result>,
  ): Promise<Result> {
    let done = 0;
    if (!process.stdout.isTTY) {
      const every = Math.ceil(total / LINES_WITHOUT_TERMINAL);
      return work(() => {
        done += 1;
        if (done % every === 0 || done === total) this.say(`${label}: ${done} of ${total}`);
      });
    }
    const bar = new SingleBar({ format: `   ${label} {bar} {value} of {total}`, hideCursor: true });
    bar.start(total, done);
    try {
      return await work(() => {
        done += 1;
        bar.update(done);
      });
    } finally {
      // Its timer would keep the process alive, and the cursor stay hidden.
      bar.stop();
    }
  }
}
