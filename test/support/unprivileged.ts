import { execFileSync } from 'node:child_process';

/** A user other than root, by ids. */
export interface UnprivilegedUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user nobody, if this process is root and that user can read this project and run Node; undefined
 * otherwise. Tests that compare root and an ordinary user need it.
 */
export function findUnprivilegedUser(): UnprivilegedUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' })),
    );
    if (uid === undefined || gid === undefined) return undefined;
    execFileSync(
      process.execPath,
      ['--check', import.meta.filename.replace('unprivileged.ts', 'ts-loader.js')],
      {
        uid,
        gid,
        cwd: '/',
      },
    );
    return { uid, gid };
  } catch {
    return undefined;
  }
}
