//! Loads prompts for the switch: the disk in a blocking thread, what was loaded from memory.
//!
//! A prompt is decoded and encoded once and shared by all calls. A file that changes on disk is
//! noticed within `RECHECK`; the calls that play the old sound play it to its end.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bstr::{BString, ByteSlice};
use dashmap::{DashMap, Entry};
use diesis_sounds::{
    error::SoundError,
    prompts::{Library, PromptError, Source},
    sound::Sound,
};
use tokio::sync::mpsc;

use super::clock;
use crate::{
    channel::{PromptId, PromptReply, PromptRequest},
    media::{Prompt, Rate},
};

/// Answers prompt requests: at once from memory, else later through a queue.
#[derive(Debug, Clone)]
pub(crate) struct PromptLoader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    library: Library,
    cache: DashMap<Key, Cached>,
    /// Who waits for a prompt that is being loaded: it is loaded once, however many ask at a time.
    loading: DashMap<Key, Vec<PromptId>>,
    bytes: AtomicUsize,
    uses: AtomicU64,
    replies: mpsc::UnboundedSender<PromptReply>,
}

/// A prompt's name and language.
type Key = (BString, BString);

#[derive(Debug)]
struct Cached {
    prompt: Arc<Prompt>,
    /// The file it came from and its time of change; embedded prompts never change.
    file: Option<(PathBuf, Option<SystemTime>)>,
    checked: Instant,
    last_use: u64,
}

impl PromptLoader {
    /// Loads from `library`; what was not in memory is answered through the returned queue, which
    /// holds at most one reply for each request of a live channel.
    pub(crate) fn new(library: Library) -> (Self, mpsc::UnboundedReceiver<PromptReply>) {
        let (replies, receiver) = mpsc::unbounded_channel();
        let shared = Shared {
            library,
            cache: DashMap::new(),
            loading: DashMap::new(),
            bytes: AtomicUsize::new(0),
            uses: AtomicU64::new(0),
            replies,
        };
        (Self { shared: Arc::new(shared) }, receiver)
    }

    /// The reply, if it is in memory. Must be called within a tokio runtime.
    pub(crate) fn load(&self, request: PromptRequest) -> Option<PromptReply> {
        let PromptRequest { id, name, language } = request;
        let key = (name, language);
        let now = clock::now().instant;
        if let Some(prompt) = self.shared.cached(&key, now) {
            return Some(PromptReply { id, prompt: Some(prompt) });
        }
        match self.shared.loading.entry(key) {
            Entry::Occupied(mut waiting) => waiting.get_mut().push(id),
            Entry::Vacant(first) => {
                let key = first.key().clone();
                first.insert(vec![id]);
                let shared = Arc::clone(&self.shared);
                tokio::task::spawn_blocking(move || shared.load(key));
            }
        }
        None
    }
}

impl Shared {
    /// From memory, unless it is time to look at the file again.
    fn cached(&self, key: &Key, now: Instant) -> Option<Arc<Prompt>> {
        let mut cached = self.cache.get_mut(key)?;
        if cached.file.is_some() && now.duration_since(cached.checked) > RECHECK {
            return None;
        }
        cached.last_use = self.uses.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(&cached.prompt))
    }

    /// Loads a prompt and answers everybody who waits for it.
    fn load(&self, key: Key) {
        let prompt = self.read(key.clone());
        // From here on whoever asks finds it in memory.
        let waiting = self.loading.remove(&key).map(|(_, waiting)| waiting);
        for id in waiting.into_iter().flatten() {
            let _ = self.replies.send(PromptReply { id, prompt: prompt.clone() });
        }
    }

    /// Blocks on the disk.
    fn read(&self, key: Key) -> Option<Arc<Prompt>> {
        let (name, language) = &key;
        let language = language.to_str_lossy();
        let now = clock::now().instant;
        let source = match self.library.find(name, &language) {
            Ok(source) => source,
            Err(error) => return refuse(&error),
        };
        let file = match &source {
            Source::File(path) => {
                let changed = fs::metadata(path).and_then(|file| file.modified()).ok();
                Some((path.clone(), changed))
            }
            _ => None,
        };
        if let Some(mut cached) = self.cache.get_mut(&key)
            && cached.file == file
        {
            cached.checked = now;
            return Some(Arc::clone(&cached.prompt));
        }
        let prompt = match source.read().and_then(prompt_of) {
            Ok(prompt) => Arc::new(prompt),
            Err(source) => {
                return refuse(&PromptError::Unreadable { name: name.to_string(), source });
            }
        };
        self.keep(key, Arc::clone(&prompt), file, now);
        Some(prompt)
    }

    fn keep(
        &self,
        key: Key,
        prompt: Arc<Prompt>,
        file: Option<(PathBuf, Option<SystemTime>)>,
        checked: Instant,
    ) {
        let last_use = self.uses.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(prompt.size(), Ordering::Relaxed);
        if let Some(old) = self.cache.insert(key, Cached { prompt, file, checked, last_use }) {
            self.bytes.fetch_sub(old.prompt.size(), Ordering::Relaxed);
        }
        while self.bytes.load(Ordering::Relaxed) > CACHE_BYTES && self.cache.len() > 1 {
            let oldest = self.cache.iter().min_by_key(|entry| entry.last_use);
            let Some(oldest) = oldest.map(|entry| entry.key().clone()) else { return };
            if let Some((_, gone)) = self.cache.remove(&oldest) {
                self.bytes.fetch_sub(gone.prompt.size(), Ordering::Relaxed);
            }
        }
    }
}

/// What is sent of a sound: at 8 kHz, at 16 kHz if there is more in it, and at 48 kHz if there is
/// still more.
fn prompt_of(sound: Sound) -> Result<Prompt, SoundError> {
    let at = |rate: Rate| sound.clone().into_rate(rate.hertz()).map(|sound| sound.samples);
    let prompt = Prompt::from_samples(&at(Rate::Narrow)?);
    Ok(if sound.rate > Rate::Wide.hertz() {
        prompt.with_full(at(Rate::Wide)?, at(Rate::Full)?)
    } else if sound.rate > Rate::Narrow.hertz() {
        prompt.with_wide(at(Rate::Wide)?)
    } else {
        prompt
    })
}

fn refuse(error: &PromptError) -> Option<Arc<Prompt>> {
    let reason: &dyn std::error::Error = error;
    match error {
        // The call that wanted it says so, as `diesis check` did.
        PromptError::NotFound { .. } => tracing::debug!(error = reason, "prompt"),
        _ => tracing::warn!(error = reason, "prompt"),
    }
    None
}

/// How long a sound read from a file is played without looking at the file again.
const RECHECK: Duration = Duration::from_secs(5);
/// Some nine hours of prompts; the ones not used for longest are forgotten first.
const CACHE_BYTES: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Arc<Shared> {
        PromptLoader::new(Library::new()).0.shared
    }

    fn key(name: &str) -> Key {
        (name.into(), "en".into())
    }

    #[test]
    fn a_prompt_is_decoded_once_and_shared() {
        let shared = shared();
        let first = shared.read(key("digits/1")).expect("it is embedded");
        let now = clock::now().instant;
        let again = shared.cached(&key("digits/1"), now).expect("it is in memory");
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[tokio::test]
    async fn all_who_ask_while_a_prompt_is_loaded_get_the_same_one() {
        let (loader, mut replies) = PromptLoader::new(Library::new());
        let mut prompts = vec![];
        for id in 0..10 {
            let (name, language) = key("digits/2");
            let request = PromptRequest { id: PromptId::new(id), name, language };
            prompts.extend(loader.load(request).and_then(|reply| reply.prompt));
        }
        while prompts.len() < 10 {
            prompts.push(replies.recv().await.unwrap().prompt.unwrap());
        }
        assert!(prompts.iter().all(|prompt| Arc::ptr_eq(prompt, &prompts[0])));
    }

    #[test]
    fn a_prompt_that_is_not_there_is_none() {
        assert!(shared().read(key("no/such")).is_none());
        assert!(shared().read(key("../../etc/passwd")).is_none());
    }
}
