/** What importing gives; undefined when its package is not installed. */
export async function ifInstalled<Module>(importing: Promise<Module>): Promise<Module | undefined> {
  try {
    return await importing;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Why a table may lack a peer. */
export function missingPackage(name: string): string {
  return `the package ${name} is not installed; run: npm install`;
}
