//! Campaigns: lists of whom to call, results that are taken up again.

use diesis_dialplan::csv;
use diesis_dialplan::numbering::dialled;
use diesis_engine::campaign::{List, columns, read_attempts, read_begun};

use super::{SLOW, Shape, Target, owned};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "campaign-list",
        about: "campaign::List: numbers, columns, separators",
        run: list,
        seeds: || {
            owned(&[
                b"number,NAME\n+33 1 40,Anna\n# no\n\"200\",\"a,\"\"b\"\"\"\n",
                b"\xef\xbb\xbfNAME;number\r\nBob;(030) 12-34\r\n",
                b"100\n101\n",
            ])
        },
        tokens: &[b"number", b"\"", b"\"\"", b",", b";", b"\n", b"#", b"+", b"\xef\xbb\xbf", b"\0"],
        longest: 1024,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "campaign-results",
        about: "campaign::read_attempts and read_begun: what a campaign that was killed left behind",
        run: results,
        seeds: || {
            owned(&[
                b"100,100,1,2026-11-22T08:00:00.000+01:00,,2026-11-22T08:00:09.000+01:00,0.0,busy,17,User busy,,,,,x\n",
                b"100,1,2026-11-22T08:00:00.000+01:00\n100,1,undone\n101,1,2026",
            ])
        },
        tokens: &[
            b"busy",
            b"human",
            b"undone",
            b"2026-11-22T08:00:00.000+01:00",
            b",",
            b"\n",
            b"\"",
        ],
        longest: 1024,
        memory: 16 << 20,
        slow: SLOW,
    },
];

fn list(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    match List::parse(input) {
        Ok(list) => {
            shape.count(list.rows.len());
            shape.count(list.columns.len());
            let heads = list.columns.iter().map(String::as_str).chain(["number"]);
            let mut again = heads.map(csv::quoted).collect::<Vec<_>>().join(",") + "\n";
            for row in &list.rows {
                assert_eq!(row.values.len(), list.columns.len());
                let called = dialled(&row.number).expect("a number that can be dialled");
                assert!(!called.contains(['@', '&', '/', '$', '{', ' ']), "{called:?}");
                let cells = row.values.iter().map(String::as_str).chain([&*row.number]);
                again += &(cells.map(csv::quoted).collect::<Vec<_>>().join(",") + "\n");
            }
            // A row whose first cell begins with # would be a comment.
            if !again.contains("\n#") && !again.starts_with('#') {
                let read = List::parse(again.as_bytes()).expect("what is written is read");
                let same = |one: &List, other: &List| {
                    one.columns == other.columns
                        && one
                            .rows
                            .iter()
                            .map(|row| (&row.number, &row.values))
                            .eq(other.rows.iter().map(|row| (&row.number, &row.values)))
                };
                assert!(same(&list, &read), "{again:?}");
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty() && errors.len() <= 21);
            errors.iter().for_each(|error| shape.kind(&error.problem));
        }
    }
    shape
}

fn results(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let kept = ["NOTE".to_owned()];
    let text = [columns(&kept).as_bytes(), input].concat();
    match read_attempts(&text, &kept) {
        Ok((made, whole)) => {
            assert!(whole <= text.len() && (whole == 0 || text[whole - 1] == b'\n'));
            // To read what is whole is the same.
            assert_eq!(read_attempts(&text[..whole], &kept), Ok((made.clone(), whole)));
            shape.count(made.len());
            made.iter().for_each(|made| shape.add(made.outcome));
        }
        Err(error) => shape.kind(&error.problem),
    }
    match read_begun(input) {
        Ok(begun) => shape.count(begun.len()),
        Err(error) => shape.kind(&error.problem),
    }
    shape
}
