const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** What stands between commas; a comma within quotes is text. */
const MEMBERS = /(?:"(?:[^"\\]|\\.)*"?|[^,"])+/g;
const DIRECTIVE = new RegExp(`^(${TOKEN})(?:=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?$`);
const PAST_CACHE: ReadonlySet<string> = new Set(['no-cache', 'no-store']);

/**
 * Whether a request's `Cache-Control` (RFC 9111) asks that no kept answer is given: `no-cache`, `no-store`, or
 * `max-age=0`, among whatever else. What is malformed or not known is ignored, as is a longer `max-age`: the
 * options say how old an answer may become.
 */
export function asksPastCache(header: string | undefined): boolean {
  if (header === undefined) return false;
  return (header.match(MEMBERS) ?? []).some((member) => {
    const [, name = '', token, quoted] = DIRECTIVE.exec(member.trim()) ?? [];
    const directive = name.toLowerCase();
    return PAST_CACHE.has(directive) || (directive === 'max-age' && /^0+$/.test(token ?? quoted ?? ''));
  });
}
