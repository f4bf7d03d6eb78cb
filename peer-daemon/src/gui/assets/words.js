// Amounts and sentences, as a person reads them.

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** As peerctl tells a size: `512 B`, `1.5 KiB`, `300 MiB`, three digits at most and never rounded up. */
export function bytes(count) {
  if (count < 1024) return `${count} B`;
  // Tenths of a unit, in whole numbers of any size.
  let tenths = (BigInt(count) * 10n) / 1024n;
  let unit = 0;
  for (; tenths >= 10240n && unit + 1 < UNITS.length; unit += 1) tenths /= 1024n;
  return `${tenths < 1000n ? `${tenths / 10n}.${tenths % 10n}` : tenths / 10n} ${UNITS[unit]}`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** So many of a thing. */
export const number = (count, thing) => `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;

/** How much is in a folder; of one under way, how much of it is there. */
export const contents = ({ files, finished }) =>
  finished == null ? number(files, "file") : `${finished.toLocaleString("en")} of ${number(files, "file")}`;

/** The first of them, and how many more there are. */
export function some(names, most) {
  const rest = names.length - most;
  return rest > 0 ? `${names.slice(0, most).join(", ")} and ${rest} more` : names.join(", ");
}

/** With a capital and a full stop. */
export const asSentence = (text) => text[0].toUpperCase() + text.slice(1).replace(/\.$/, "") + ".";

/** The fields of the daemon's documents that are sentences; the others are names, paths and values. */
const SENTENCES = new Set(["connection_problem", "detail", "problem", "reason", "sentence", "what"]);
const COMMAND = /(^|[:;(`>] ?)peerctl (?=[a-z])/g;

let flags = "";

/** Which of a person's daemons this page belongs to: what one is told to type has to reach that one. */
export function belongsTo(profile) { flags = profile ? `--profile ${profile} ` : ""; }

/** A sentence, or a document with sentences in it, with its commands as this person has to type them. */
export function spelled(told) {
  if (typeof told === "string") return told.replace(COMMAND, `$1peerctl ${flags}`);
  if (!flags || !told || typeof told !== "object") return told;
  for (const [key, value] of Object.entries(told)) {
    if (typeof value !== "string" || SENTENCES.has(key)) told[key] = spelled(value);
  }
  return told;
}
