//! Lists the prompts to embed: a sorted table of name and `include_bytes!`.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_FEATURE_PROMPTS");
    let mut files = Vec::new();
    if env::var_os("CARGO_FEATURE_PROMPTS").is_some() {
        let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
        collect(&root.join("prompts"), String::new(), &mut files);
    }
    files.sort();
    let rows =
        files.iter().map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n"));
    let table = format!("&[\n{}]\n", rows.collect::<String>());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("embedded.rs"), table).expect("the build directory can be written");
}

/// Every `.wav` below a directory, named by its path from there without the extension.
fn collect(directory: &Path, prefix: String, files: &mut Vec<(String, String)>) {
    println!("cargo::rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(directory).expect("the directory of prompts is readable") {
        let path = entry.expect("the entry is readable").path();
        let stem =
            path.file_stem().and_then(|name| name.to_str()).expect("prompts have ASCII names");
        let name = format!("{prefix}{stem}");
        if path.is_dir() {
            collect(&path, format!("{name}/"), files);
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            println!("cargo::rerun-if-changed={}", path.display());
            files.push((name, path.to_str().expect("the path is UTF-8").to_owned()));
        }
    }
}
