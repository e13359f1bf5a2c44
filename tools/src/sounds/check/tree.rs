//! The prompts of a directory: their names and files, by language where it holds several.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use diesis_sounds::format::EXTENSIONS;
use diesis_sounds::prompts::embedded_names;

use crate::sounds::asterisk;

/// Prompts by name (`digits/1`), each with its files.
pub(super) type Prompts = BTreeMap<String, Vec<PathBuf>>;

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Languages below it, by name; empty when it is one itself, or has no languages.
    pub(super) languages: BTreeMap<String, Prompts>,
    /// All that is in no language.
    pub(super) others: Prompts,
}

impl Tree {
    /// Reads a directory. One that is called like a language is one, whatever is below it.
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        // A directory that can't be listed would look like an empty one.
        fs::read_dir(directory)?;
        let mut tree = Self::default();
        if language_of(directory).is_some() {
            collect(directory, "", &mut vec![], &mut tree.others)?;
            return Ok(tree);
        }
        for (name, path) in entries(directory)? {
            if path.is_dir() && is_language(&name) {
                let mut prompts = Prompts::new();
                collect(&path, "", &mut vec![], &mut prompts)?;
                if !prompts.is_empty() {
                    tree.languages.insert(name, prompts);
                }
            } else if path.is_dir() {
                collect(&path, &format!("{name}/"), &mut vec![], &mut tree.others)?;
            } else {
                add(&name, "", path, &mut tree.others);
            }
        }
        Ok(tree)
    }

    /// All prompts of a directory as one set.
    pub(super) fn read_flat(directory: &Path) -> io::Result<Prompts> {
        fs::read_dir(directory)?;
        let mut prompts = Prompts::new();
        collect(directory, "", &mut vec![], &mut prompts)?;
        Ok(prompts)
    }
}

/// Names of the prompts inside the binary in a language.
pub(super) fn embedded(language: &str) -> BTreeSet<String> {
    let front = format!("{language}/");
    embedded_names().filter_map(|name| name.strip_prefix(&front)).map(str::to_owned).collect()
}

/// The language that a directory is called by.
pub(super) fn language_of(directory: &Path) -> Option<String> {
    let name = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let name = name.file_name()?.to_str()?;
    is_language(name).then(|| name.to_owned())
}

/// A code of ISO 639-1, and what may follow it: `fr`, `fr_CA`, `en-au-female`.
fn is_language(name: &str) -> bool {
    let mut parts = name.split(['_', '-']);
    let code = parts.next().unwrap_or_default();
    let is_tag = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
    CODES.split(' ').any(|it| it == code) && parts.all(is_tag)
}

/// Adds the prompts below a directory. `within` are the directories on the way, so that a link to
/// one of them does not lead round in circles.
fn collect(
    directory: &Path,
    front: &str,
    within: &mut Vec<PathBuf>,
    prompts: &mut Prompts,
) -> io::Result<()> {
    let real = directory.canonicalize()?;
    if within.contains(&real) || within.len() == DEEPEST {
        return Ok(());
    }
    within.push(real);
    for (name, path) in entries(directory)? {
        if path.is_dir() {
            collect(&path, &format!("{front}{name}/"), within, prompts)?;
        } else {
            add(&name, front, path, prompts);
        }
    }
    within.pop();
    Ok(())
}

/// Adds a file if it is a sound by its name.
fn add(name: &str, front: &str, path: PathBuf, prompts: &mut Prompts) {
    let Some((stem, extension)) = name.rsplit_once('.') else { return };
    let is = |known: &str| known.eq_ignore_ascii_case(extension);
    let known = EXTENSIONS.iter().any(|row| is(row.0))
        || asterisk::extensions().any(is)
        || OTHERS.iter().any(|known| is(known));
    if known && !stem.is_empty() {
        prompts.entry(format!("{front}{stem}")).or_default().push(path);
    }
}

/// What is in a directory, by name; what is hidden, and what has a name that is no text, is not.
fn entries(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut entries = vec![];
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
        {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// No prompt lies deeper.
const DEEPEST: usize = 32;

/// Sounds that nothing plays on a telephone and somebody may have left among the prompts.
const OTHERS: &[&str] = &[
    "mp3", "mp2", "flac", "ogg", "oga", "opus", "m4a", "mp4", "aac", "aif", "aiff", "aifc", "caf",
    "wma", "webm", "mka", "w64", "rf64", "amr", "spx",
];

const CODES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co \
    cr cs cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he \
    hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku \
    kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr \
    nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr \
    ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo \
    za zh zu";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_from_other_directories() {
        for name in ["en", "fr_CA", "en-au-female", "pt_BR"] {
            assert!(is_language(name), "{name}");
        }
        // Parts of Asterisk's own prompts, among others.
        for name in ["wx", "digits", "dictate", "e", "", "en_", "english", "EN"] {
            assert!(!is_language(name), "{name}");
        }
    }

    #[test]
    fn embedded_prompts_are_known_by_language() {
        let english = embedded("en");
        assert!(english.contains("digits/1"), "{english:?}");
        assert!(embedded("tlh").is_empty());
    }
}
