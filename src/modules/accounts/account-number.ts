import { electronicFormatIBAN, getCountrySpecifications, isValidIBAN } from 'ibantools';

/** Name of the lookup index that keeps account numbers unique within the tenant. */
export const ACCOUNT_NUMBER_INDEX = 'account_number';

/** 1 to 34 letters, digits and separators, beginning with a letter or digit and not ending with a blank. */
const NUMBER_PATTERN = /^[A-Za-z0-9](?:[A-Za-z0-9 ._/-]{0,32}[A-Za-z0-9._/-])?$/;

/** An IBAN in print has a blank after each fourth of at most 34 characters. */
const PRINTED_IBAN_PATTERN = /^[A-Za-z]{2}\d{2}[A-Za-z0-9 ]{11,38}$/;

/** The shortest IBAN is Norway's. */
const IBAN_LENGTH_MIN = 15;

/** An account number in the one spelling that is kept and compared, or what is wrong with it. */
export type ParsedAccountNumber = { readonly number: string } | { readonly fault: string };

/**
 * Reads an account number. One that claims to be an IBAN (a country with IBANs, two digits, 15 characters or
 * more, letters and digits only) is checked as one and kept in its electronic format: upper case, without
 * blanks. Any other number is kept as it is, blanks around it taken away.
 */
export function parseAccountNumber(text: string): ParsedAccountNumber {
  const trimmed = text.trim();
  if (claimsToBeIban(trimmed)) {
    const iban = electronicFormatIBAN(trimmed);
    if (iban !== null && isValidIBAN(iban)) return { number: iban };
    return {
      fault:
        'is not a valid IBAN: its length or its check digits are wrong; correct it, or use a number of another form',
    };
  }
  if (NUMBER_PATTERN.test(trimmed)) return { number: trimmed };
  return { fault: 'must be 1 to 34 letters, digits, blanks or . _ / -, and begin with a letter or digit' };
}

function claimsToBeIban(text: string): boolean {
  if (!PRINTED_IBAN_PATTERN.test(text)) return false;
  const electronic = text.replaceAll(' ', '');
  const country = getCountrySpecifications()[electronic.slice(0, 2).toUpperCase()];
  return electronic.length >= IBAN_LENGTH_MIN && typeof country?.chars === 'number';
}
