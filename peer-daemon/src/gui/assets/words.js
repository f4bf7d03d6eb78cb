// Amounts and sentences, as a person reads them.

export function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit += 1) count /= 1024;
  return unit ? `${count.toFixed(1)} ${units[unit]}` : number(count, "byte");
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
