import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A process of this machine. */
export interface ProcessEntry {
  readonly pid: number;
  /** Its command line; servers that set a title show that instead. Arguments are separated by blanks. */
  readonly commandLine: string;
}

const runFile = promisify(execFile);

/**
 * All processes that can be seen. Command lines and not working directories tell whose a server is: inside a
 * container root may not read another user's working directory.
 */
export async function listProcesses(): Promise<ProcessEntry[]> {
  if (process.platform !== 'linux') return listWithPs();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const entries = await Promise.all(pids.map(readEntry));
  return entries.filter((entry) => entry !== undefined);
}

/**
 * When a process started, as an opaque text that also tells one boot of the machine from another; undefined
 * when it does not run (a zombie does not). With the pid it names a process for good: pids are reused, pairs are not.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    if (process.platform === 'linux') {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // The name, in parentheses, may contain anything; the state is the first field after it.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
      return `${(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()}:${fields[19] ?? ''}`;
    }
    const { stdout } = await runFile('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
    const [state = '', ...started] = stdout.trim().split(/\s+/);
    return state === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}

/** Sends a signal; false when the process is gone already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

async function readEntry(pid: number): Promise<ProcessEntry | undefined> {
  try {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    // Empty: a kernel thread, or a zombie, which is no process any more.
    return raw === '' ? undefined : { pid, commandLine: raw.replaceAll('\0', ' ').trim() };
  } catch {
    return undefined;
  }
}

async function listWithPs(): Promise<ProcessEntry[]> {
  const { stdout } = await runFile('ps', ['-axww', '-o', 'pid=,args='], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(.*)$/.exec(line);
    return match ? [{ pid: Number(match[1]), commandLine: (match[2] ?? '').trim() }] : [];
  });
}
