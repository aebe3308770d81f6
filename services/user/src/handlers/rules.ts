import { invalid } from "#lib/mesh/errors.ts";

const usernameForm = /^[a-z][a-z0-9_]{2,29}$/;
const importedForm = /^[a-z][a-z0-9_]{1,29}$/;
const displayNameMax = 50;
const bioMax = 500;
const passwordMin = 8;
const passwordMax = 128;

/** A name as it is kept: ASCII in lower case, so that no two look alike. */
export function usernameOf(text: string): string {
  const username = folded(text);
  if (usernameForm.test(username)) return username;
  throw invalid("username", "must be 3 to 30 of a–z, 0–9 and _, beginning with a letter");
}

/** A name that the operator brings: two characters will do, so that node 7 of a graph can be n7. */
export function importedUsernameOf(text: string): string {
  const username = folded(text);
  if (importedForm.test(username)) return username;
  throw invalid("users.username", "must be 2 to 30 of a–z, 0–9 and _, beginning with a letter");
}

/** A name as it is looked up; empty, which is nobody's, where it can be no name. */
export function lookupOf(text: string): string {
  const username = folded(text);
  return importedForm.test(username) ? username : "";
}

const folded = (text: string): string => (/^[\x21-\x7e]{1,30}$/.test(text) ? text.toLowerCase() : "");

/** A name as it is shown: any script, no control characters; the username where it is empty. */
export function displayNameOf(text: string, username: string): string {
  const name = text.normalize("NFC");
  if ([...name].length > displayNameMax) throw invalid("display_name", `must be at most ${displayNameMax} characters`);
  if (/\p{Cc}|\p{Cs}/u.test(name)) throw invalid("display_name", "must not hold control characters");
  return name.trim() === "" ? username : name;
}

/** What somebody says about themselves: any script, as it was sent. */
export function bioOf(text: string): string {
  if (text.length > 2 * bioMax || [...text].length > bioMax)
    throw invalid("bio", `must be at most ${bioMax} characters`);
  return text;
}

/** A new password. Its length is checked before it is hashed. */
export function passwordOf(text: string): string {
  const length = text.length > 4 * passwordMax ? Number.POSITIVE_INFINITY : [...text].length;
  if (length < passwordMin || length > passwordMax) {
    throw invalid("password", `must be ${passwordMin} to ${passwordMax} characters`);
  }
  return text;
}
