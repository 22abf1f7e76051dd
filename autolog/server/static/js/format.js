// Numbers, times and sizes as people read them.

const WORDS = { NaN: "NaN", Infinity: "∞", "-Infinity": "−∞" };
const NUMBERS = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };

/** A number of the API, where NaN and the infinities are texts, as a number. */
export const toNumber = (value) => (typeof value === "string" ? NUMBERS[value] ?? NaN : value);

/** A number with at most `digits` significant digits. */
export function number(value, digits = 4) {
  const known = toNumber(value);
  if (typeof known !== "number") return "";
  if (!Number.isFinite(known)) return WORDS[String(known)];
  if (Number.isInteger(known) && Math.abs(known) < 1e9) return String(known).replace("-", "−");
  const size = Math.abs(known);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? short(known, digits) : String(Number(known.toPrecision(digits)));
  return text.replace("-", "−");
}

const short = (value, digits) => value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");

/** Any value of a parameter or fact, in one line: what is not there is empty, a value that is nothing is Python's `None`. */
export function plain(value) {
  if (value === undefined) return "";
  if (value === null) return "None";
  if (typeof value === "number") return number(value, 6);
  if (typeof value === "string") return value;
  return JSON.stringify(value);
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "m"]];

/** Seconds as "3.2s", "4m 10s", "2h 5m", "3d 4h". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "";
  if (seconds < 60) return `${seconds < 10 ? Math.max(0, seconds).toFixed(1) : Math.round(seconds)}s`;
  const whole = Math.round(seconds);
  const place = UNITS.findIndex(([size]) => whole >= size);
  const [size, unit] = UNITS[place];
  const [next, nextUnit] = UNITS[place + 1] ?? [1, "s"];
  const rest = Math.floor((whole % size) / next);
  return `${Math.floor(whole / size)}${unit}${rest ? ` ${rest}${nextUnit}` : ""}`;
}

/** How long ago: "now", "5 min ago", "3 h ago", "12 Nov", "12 Nov 2025". */
export function ago(time, now) {
  const seconds = now - time;
  if (seconds < 10) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86400) return `${Math.floor(seconds / 86400)} d ago`;
  const then = new Date(1000 * time);
  const year = then.getFullYear() === new Date(1000 * now).getFullYear() ? {} : { year: "numeric" };
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
}

/** A moment in the reader's own time zone, to the second. */
export function moment(time) {
  if (time === null || time === undefined) return "";
  return new Date(1000 * time).toLocaleString("sv-SE", { timeZoneName: "short" });
}

/** Seconds since the epoch of a time of the API: a number, or ISO 8601. */
export const seconds = (time) => (typeof time === "string" ? Date.parse(time) / 1000 : time);

/** Bytes as "12.3 MB". */
export function bytes(size, digits = 3) {
  if (typeof size !== "number") return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let place = 0;
  while (size >= 1000 && place < units.length - 1) {
    size /= 1000;
    place += 1;
  }
  return `${place ? Number(size.toPrecision(Math.max(digits, 3))) : size} ${units[place]}`;
}

/** Marks of an axis, with as many digits as tell them apart. */
export function marks(values, write = number) {
  const given = values.filter((value) => value !== null);
  const step = Math.min(...given.slice(1).map((value, place) => Math.abs(value - given[place])));
  const most = Math.max(...given.map(Math.abs));
  const digits = Number.isFinite(step) && step > 0 ? Math.max(2, Math.ceil(Math.log10(most / step)) + 2) : 3;
  return values.map((value) => (value === null ? "" : write(value, Math.min(digits, 12))));
}

/** "1 run", "2 runs". */
export const count = (many, one, several = `${one}s`) => `${many.toLocaleString("en")} ${many === 1 ? one : several}`;
