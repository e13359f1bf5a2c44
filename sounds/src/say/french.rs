//! Cardinal numbers in French: soixante et onze, quatre-vingt-onze, mille.
//!
//! Composed of the recordings that Asterisk composes them of, so that its sets can be used:
//! `digits/80` is "quatre-vingt", `digits/et` is "et", `digits/1F` is "une".
//! Differs from Asterisk in the thousands and millions of feminine things: these parts stay
//! masculine (vingt et un mille voitures, un million de voitures), as `mille` and `million` ask.

use super::{Gender, Words};

pub(super) fn cardinal(number: u32, gender: Gender, words: &mut Words) {
    match number {
        0..100 => below_hundred(number, gender, words),
        100..1000 => {
            if number >= 200 {
                words.push(number / 100);
            }
            words.push("hundred");
            rest(number % 100, gender, words);
        }
        1000..1_000_000 => {
            // "Mille", never "un mille".
            if number >= 2000 {
                cardinal(number / 1000, Gender::Masculine, words);
            }
            words.push("thousand");
            rest(number % 1000, gender, words);
        }
        _ => {
            cardinal(number / 1_000_000, Gender::Masculine, words);
            words.push("million");
            rest(number % 1_000_000, gender, words);
        }
    }
}

fn below_hundred(number: u32, gender: Gender, words: &mut Words) {
    let (tens, units) = match number {
        1 if gender == Gender::Feminine => return words.push("1F"),
        0..=20 => return words.push(number),
        // The seventies and nineties go on counting where the sixties and eighties end.
        61..80 => (60, number - 60),
        80..100 => (80, number - 80),
        _ => (number / 10 * 10, number % 10),
    };
    words.push(tens);
    // "Et" before one and eleven, but quatre-vingt-un, quatre-vingt-onze.
    if matches!(units, 1 | 11) && tens < 80 {
        words.push("et");
    }
    rest(units, gender, words);
}

/// What follows a larger part; nothing for zero.
fn rest(number: u32, gender: Gender, words: &mut Words) {
    if number != 0 {
        cardinal(number, gender, words);
    }
}

#[cfg(test)]
mod tests {
    use super::Gender::{Feminine, Masculine};
    use crate::say::{Gender, Language, number};

    fn said(n: i64, gender: Gender) -> String {
        let names = number(n, gender, Language::French).unwrap();
        let words = names.iter().map(|name| name.strip_prefix("digits/").unwrap());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn worked_examples() {
        let examples = [
            (0, "0"),
            (1, "1"),
            (10, "10"),
            (16, "16"),
            (17, "17"),
            (20, "20"),
            (21, "20 et 1"),
            (22, "20 2"),
            (30, "30"),
            (31, "30 et 1"),
            (60, "60"),
            (61, "60 et 1"),
            (69, "60 9"),
            (70, "60 10"),
            (71, "60 et 11"),
            (72, "60 12"),
            (77, "60 17"),
            (79, "60 19"),
            (80, "80"),
            (81, "80 1"),
            (90, "80 10"),
            (91, "80 11"),
            (99, "80 19"),
            (100, "hundred"),
            (101, "hundred 1"),
            (171, "hundred 60 et 11"),
            (200, "2 hundred"),
            (999, "9 hundred 80 19"),
            (1000, "thousand"),
            (1001, "thousand 1"),
            (1100, "thousand hundred"),
            (1999, "thousand 9 hundred 80 19"),
            (2000, "2 thousand"),
            (21_000, "20 et 1 thousand"),
            (80_000, "80 thousand"),
            (100_000, "hundred thousand"),
            (1_000_000, "1 million"),
            (1_001_001, "1 million thousand 1"),
            (71_000_000, "60 et 11 million"),
            (-5, "minus 5"),
            (-80, "minus 80"),
        ];
        for (n, expected) in examples {
            assert_eq!(said(n, Masculine), expected, "{n}");
        }
    }

    #[test]
    fn only_the_last_one_agrees_with_a_feminine_thing() {
        let examples = [
            (0, "0"),
            (1, "1F"),
            (11, "11"),
            (21, "20 et 1F"),
            (61, "60 et 1F"),
            (71, "60 et 11"),
            (81, "80 1F"),
            (91, "80 11"),
            (101, "hundred 1F"),
            (1001, "thousand 1F"),
            (21_000, "20 et 1 thousand"),
            (21_021, "20 et 1 thousand 20 et 1F"),
            (1_000_001, "1 million 1F"),
            (-1, "minus 1F"),
        ];
        for (n, expected) in examples {
            assert_eq!(said(n, Feminine), expected, "{n}");
        }
    }
}
