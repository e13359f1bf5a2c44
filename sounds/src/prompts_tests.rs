use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::coding::{Coding, Encoder};
#[cfg(feature = "prompts")]
use crate::pcm;

/// An operator's directory, removed at the end.
struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("diesis-prompts-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// A μ-law file whose length tells it from others.
    fn file(self, name: &str, len: usize) -> Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![0xff; len]).unwrap();
        self
    }

    fn library(&self) -> Library {
        Library::new().root(&self.0)
    }

    fn find(&self, name: &str, language: &str) -> Option<String> {
        match self.library().find(name, language) {
            Ok(Source::File(path)) => {
                Some(path.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned())
            }
            Ok(Source::Embedded(_)) => Some("embedded".to_owned()),
            Ok(Source::Silence { .. }) => Some("silence".to_owned()),
            Err(_) => None,
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn languages_fall_back_to_their_parents_then_none_then_english() {
    let root = Root::new()
        .file("fr_CA/a.ulaw", 1)
        .file("fr/a.ulaw", 2)
        .file("fr/b.ulaw", 3)
        .file("b.ulaw", 4)
        .file("c.ulaw", 5)
        .file("en/c.ulaw", 6)
        .file("en/d.ulaw", 7);
    assert_eq!(root.find("a", "fr_CA").unwrap(), "fr_CA/a.ulaw");
    assert_eq!(root.find("a", "fr_BE").unwrap(), "fr/a.ulaw");
    assert_eq!(root.find("b", "fr_CA").unwrap(), "fr/b.ulaw");
    assert_eq!(root.find("b", "de").unwrap(), "b.ulaw");
    assert_eq!(root.find("c", "fr").unwrap(), "c.ulaw");
    assert_eq!(root.find("d", "fr").unwrap(), "en/d.ulaw");
    assert_eq!(root.find("d", "").unwrap(), "en/d.ulaw");
    assert_eq!(root.find("e", "fr"), None);
}

#[test]
fn both_layouts_of_subdirectories_are_looked_through() {
    let root =
        Root::new().file("fr/acme/a.ulaw", 1).file("acme/fr/a.ulaw", 2).file("acme/fr/b.ulaw", 3);
    assert_eq!(root.find("acme/a", "fr").unwrap(), "fr/acme/a.ulaw");
    assert_eq!(root.find("acme/b", "fr_FR").unwrap(), "acme/fr/b.ulaw");
}

#[test]
fn roots_are_looked_through_in_order() {
    let first = Root::new().file("en/a.ulaw", 1);
    let second = Root::new().file("en/a.ulaw", 2).file("en/b.ulaw", 3);
    let library = Library::new().root(&first.0).root(&second.0);
    assert_eq!(library.load("a", "en").unwrap().samples.len(), 1);
    assert_eq!(library.load("b", "en").unwrap().samples.len(), 3);
}

#[test]
fn absolute_names_are_looked_up_as_they_are() {
    let root = Root::new().file("x/hello.ulaw", 5).file("x/fr/hello.ulaw", 6);
    let name = root.0.join("x/hello");
    let name = name.to_str().unwrap();
    assert_eq!(Library::new().load(name, "en").unwrap().samples.len(), 5);
    assert_eq!(Library::new().load(name, "fr_FR").unwrap().samples.len(), 6);
    let error = Library::new().load("/nowhere/beep", "en").unwrap_err();
    assert!(matches!(error, PromptError::NotFound { .. }), "{error}");
}

#[test]
fn the_original_is_taken_before_its_telephone_copies() {
    let root = Root::new().file("en/a.alaw", 1).file("en/a.ulaw", 2).file("en/a.sln16", 3);
    assert_eq!(root.find("a", "en").unwrap(), "en/a.ulaw");
    let root = root.file("en/a.wav", 4);
    assert_eq!(root.find("a", "en").unwrap(), "en/a.wav");
}

#[test]
fn names_cannot_leave_the_root() {
    let root = Root::new().file("en/a.ulaw", 1).file("secret.ulaw", 2);
    let library = Library::new().root(root.0.join("en"));
    let names: [&[u8]; 8] =
        [b"../secret", b"a/../../secret", b"/etc/../x", b"..", b"a\0b", b"", b"/", b"a/"];
    for name in names {
        let error = library.find(name, "en").unwrap_err();
        assert!(matches!(error, PromptError::InvalidName { .. }), "{error}");
    }
    let error = library.find([b'a'; 600], "en").unwrap_err();
    assert!(matches!(error, PromptError::InvalidName { .. }), "{error}");
    // Empty and "." parts are only noise.
    assert!(library.find(".//a", "").is_ok());
    // A language is no path either.
    assert!(matches!(library.find("secret", ".."), Err(PromptError::NotFound { .. })));
}

#[test]
fn a_name_with_its_extension_is_not_found_and_says_why() {
    let root = Root::new().file("en/a.ulaw", 1);
    let error = root.library().find("a.ulaw", "en").unwrap_err();
    assert!(error.to_string().ends_with("write the name without its extension"), "{error}");
}

#[test]
fn silence_is_made_unless_the_operator_has_his_own() {
    let library = Library::new();
    assert_eq!(library.find("silence/10", "fr").unwrap(), Source::Silence { seconds: 10 });
    let sound = library.load("silence/2", "en").unwrap();
    assert_eq!(sound.samples, vec![0; 16_000]);
    for name in ["silence/0", "silence/11", "silence/01", "silence/x", "silence/"] {
        assert!(library.find(name, "en").is_err(), "{name}");
    }
    let root = Root::new().file("en/silence/2.ulaw", 9);
    assert_eq!(root.library().load("silence/2", "en").unwrap().samples.len(), 9);
}

#[test]
fn sounds_of_other_rates_arrive_at_eight_kilohertz() {
    let root = Root::new().file("en/a.ulaw", 0);
    let mut samples = vec![];
    Encoder::new(Coding::LINEAR).unwrap().encode(&[1000; 16_000], &mut samples);
    fs::write(root.0.join("en/b.sln16"), samples).unwrap();
    let sound = root.library().load("b", "en").unwrap();
    assert_eq!((sound.rate, sound.samples.len()), (8000, 8000));
    assert!(sound.samples[4000].abs_diff(1000) <= 1);
}

#[test]
fn a_broken_file_is_told_from_a_missing_one() {
    let root = Root::new().file("en/a.wav", 100);
    let error = root.library().load("a", "en").unwrap_err();
    assert!(matches!(error, PromptError::Unreadable { .. }), "{error}");
}

#[cfg(feature = "prompts")]
mod embedded_prompts {
    use super::*;
    use crate::say::{self, Gender, Language};

    #[test]
    fn an_operators_recording_replaces_the_embedded_one() {
        let root = Root::new();
        assert_eq!(root.find("diesis-welcome", "fr").unwrap(), "embedded");
        let root = root.file("diesis-welcome.ulaw", 3);
        assert_eq!(root.find("diesis-welcome", "fr").unwrap(), "diesis-welcome.ulaw");
        let root = root.file("fr/diesis-welcome.ulaw", 3);
        assert_eq!(root.find("diesis-welcome", "fr_CA").unwrap(), "fr/diesis-welcome.ulaw");
    }

    #[test]
    fn the_embedded_prompt_of_the_language_wins_over_english() {
        let library = Library::new();
        let english = library.find("hello-world", "en").unwrap();
        let french = library.find("hello-world", "fr_CA").unwrap();
        assert_ne!(english, french);
        assert_eq!(library.find("hello-world", "de").unwrap(), english);
        // The tones are the same everywhere.
        assert_eq!(library.find("beep", "fr").unwrap(), library.find("beep", "en").unwrap());
        // An operator's English does not stand before the embedded French.
        let root = Root::new().file("en/hello-world.ulaw", 3);
        assert_eq!(root.find("hello-world", "fr").unwrap(), "embedded");
    }

    #[test]
    fn every_embedded_prompt_is_telephone_sound_at_an_even_level() {
        let mut count = 0;
        for name in embedded_names() {
            let (language, rest) = name.split_once('/').unwrap();
            let bytes = embedded(language, rest).unwrap();
            let sound = wav::parse(bytes).unwrap();
            assert_eq!(sound.rate, 8000, "{name}");
            assert_eq!(bytes.len(), 44 + 2 * sound.samples.len(), "{name}: plain header");
            let peak = 20.0 * (f64::from(pcm::peak(&sound.samples)) / 32_768.0).log10();
            let level = pcm::level_dbov(&sound.samples);
            assert!((-19.0..=-2.9).contains(&peak), "{name}: peak {peak:.1} dB");
            assert!((-30.0..=-17.0).contains(&level), "{name}: level {level:.1} dB");
            assert!(pcm::peak(&sound.samples[..120]) < 400, "{name}: no silence at the start");
            count += 1;
        }
        assert!(count > 300, "{count}");
    }

    #[test]
    fn whatever_is_said_has_its_prompts() {
        let library = Library::new();
        let numbers = (0..200).chain([999, 1000, 1001, 21_000, 999_999_999, -5]);
        for (language, tag) in [(Language::English, "en"), (Language::French, "fr")] {
            for number in numbers.clone() {
                for gender in [Gender::Masculine, Gender::Feminine] {
                    for name in say::number(number, gender, language).unwrap() {
                        assert!(embedded(tag, &name).is_some(), "{tag}/{name}");
                    }
                }
            }
            let characters: Vec<u8> = (0..=255).collect();
            for name in say::characters(&characters).into_iter().chain(say::digits(&characters)) {
                assert!(embedded(tag, &name).is_some(), "{tag}/{name}");
            }
            for name in say::characters_telling_case(&characters, say::ToldCase::All) {
                assert!(embedded(tag, &name).is_some(), "{tag}/{name}");
            }
            for (day, days_ago) in (1..=31).flat_map(|day| [(day, 0), (day, 1), (day, 400)]) {
                let moment = say::Moment {
                    year: 1890 + u16::from(day) * 5,
                    month: day % 12 + 1,
                    day,
                    weekday: day % 7,
                    hour: day % 24,
                    minute: day * 2 - 2,
                    second: day + 20,
                    days_ago,
                };
                for name in say::moment(&moment, b"ABmdYIHkMNSpQqRT", language).unwrap() {
                    assert!(embedded(tag, &name).is_some(), "{tag}/{name}");
                }
            }
            for name in say::phonetic(&characters) {
                assert!(library.find(&name, tag).is_ok(), "{tag}/{name}");
            }
        }
    }
}
