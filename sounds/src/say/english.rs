//! Cardinal numbers in English, American style: no "and".

use super::Words;

pub(super) fn cardinal(number: u32, words: &mut Words) {
    match number {
        0..20 => words.push(number),
        20..100 => {
            words.push(number / 10 * 10);
            rest(number % 10, words);
        }
        100..1000 => {
            words.push(number / 100);
            words.push("hundred");
            rest(number % 100, words);
        }
        1000..1_000_000 => {
            cardinal(number / 1000, words);
            words.push("thousand");
            rest(number % 1000, words);
        }
        _ => {
            cardinal(number / 1_000_000, words);
            words.push("million");
            rest(number % 1_000_000, words);
        }
    }
}

/// Ordinals from 1 to 31, as days need them.
pub(super) fn ordinal(number: u32, words: &mut Words) {
    match number {
        0..=20 | 30 => words.push(format_args!("h-{number}")),
        _ => {
            words.push(number / 10 * 10);
            words.push(format_args!("h-{}", number % 10));
        }
    }
}

/// "Nineteen oh five", "nineteen ninety nine", but "two thousand twenty six".
pub(super) fn year(year: u32, words: &mut Words) {
    if !(1900..2000).contains(&year) {
        return cardinal(year, words);
    }
    words.push(19);
    match year % 100 {
        0 => words.push("hundred"),
        tens @ 1..10 => {
            words.push("oh");
            words.push(tens);
        }
        tens => cardinal(tens, words),
    }
}

/// What follows a larger part; nothing for zero.
fn rest(number: u32, words: &mut Words) {
    if number != 0 {
        cardinal(number, words);
    }
}

#[cfg(test)]
mod tests {
    use crate::say::{Gender, Language, number};

    fn said(n: i64) -> String {
        let names = number(n, Gender::Feminine, Language::English).unwrap();
        let words = names.iter().map(|name| name.strip_prefix("digits/").unwrap());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn worked_examples() {
        let examples = [
            (0, "0"),
            (1, "1"),
            (9, "9"),
            (10, "10"),
            (16, "16"),
            (19, "19"),
            (20, "20"),
            (21, "20 1"),
            (71, "70 1"),
            (80, "80"),
            (81, "80 1"),
            (91, "90 1"),
            (99, "90 9"),
            (100, "1 hundred"),
            (101, "1 hundred 1"),
            (110, "1 hundred 10"),
            (200, "2 hundred"),
            (999, "9 hundred 90 9"),
            (1000, "1 thousand"),
            (1001, "1 thousand 1"),
            (1100, "1 thousand 1 hundred"),
            (2000, "2 thousand"),
            (21_000, "20 1 thousand"),
            (100_000, "1 hundred thousand"),
            (123_456, "1 hundred 20 3 thousand 4 hundred 50 6"),
            (1_000_000, "1 million"),
            (1_000_001, "1 million 1"),
            (2_500_000, "2 million 5 hundred thousand"),
            (999_999_999, "9 hundred 90 9 million 9 hundred 90 9 thousand 9 hundred 90 9"),
            (-5, "minus 5"),
            (-1000, "minus 1 thousand"),
        ];
        for (n, expected) in examples {
            assert_eq!(said(n), expected, "{n}");
        }
    }
}
