/** `0.42 ms`, `63.8 ms`, `1.20 s`. */
export function took(us) {
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  return `${(us / 1e3).toFixed(us < 1e3 ? 2 : 1)} ms`;
}

/** The local time of day, with the date where it is not today. */
export function when(us) {
  const time = new Date(us / 1000);
  const isToday = time.toDateString() === new Date().toDateString();
  const clock = `${time.toLocaleTimeString("en-GB")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  return isToday ? clock : `${time.toLocaleDateString("en-CA")} ${clock}`;
}
