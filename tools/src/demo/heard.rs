//! Compares what the caller heard with what the engine said.

use std::{error::Error, path::Path, time::Duration};

use diesis_sounds::{locate::Recording, prompts::Library, sound::Sound};

use super::account::Played;

/// Prints where each prompt lies in the recording; `false` when one is missing.
pub(crate) fn report(path: &Path, said: &[Played]) -> Result<bool, Box<dyn Error>> {
    let sound = Sound::read(path)?;
    let recording = Recording::new(&sound.samples, sound.rate);
    let library = Library::new();
    let mut from = 0;
    let mut all = true;
    println!("\n  What phone 1 heard, found in the recording by correlation:\n");
    for Played { name } in said {
        let Ok(prompt) = library.load(name, "en") else { continue };
        match recording.find(&prompt.samples, from) {
            Some(found) => {
                println!(
                    "  {:6.2} s  {:<24} {:5.2} of {:5.2} s   likeness {:.3}",
                    seconds(found.start),
                    name,
                    seconds(found.length),
                    seconds(prompt.samples.len()),
                    found.score,
                );
                from = found.start + found.length / 2;
            }
            None => {
                all = false;
                println!("            {name:<24} NOT HEARD");
            }
        }
    }
    Ok(all)
}

fn seconds(samples: usize) -> f64 {
    Duration::from_micros(samples as u64 * 125).as_secs_f64()
}
