//! Packets to samples: the decoders of all codecs behind one face.

use symphonia::core::audio::{Audio, AudioBuffer, GenericAudioBufferRef};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known as codec,
};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::Packet;
use symphonia::default::codecs::{
    AacDecoder, AlacDecoder, FlacDecoder, MpaDecoder, PcmDecoder, VorbisDecoder,
};

use super::mpeg;
use super::opus::Opus;
use crate::error::SoundError;

/// What decodes the packets of one track.
pub(super) enum Decoder {
    /// Of `symphonia`.
    Frames(Box<dyn AudioDecoder>),
    /// MPEG audio, with what its frames have in common: of these, too, but it takes no others.
    Mpeg {
        inner: Box<MpaDecoder>,
        kind: u32,
    },
    Opus(Box<Opus>),
    /// What is rarer than floats and 32 bits, with what became of it.
    Other {
        inner: Box<dyn AudioDecoder>,
        planes: Vec<Vec<f32>>,
    },
}

/// What a packet became: as many samples for each channel.
pub(super) enum Planes<'a> {
    Float(Vec<&'a [f32]>),
    /// Full scale is 2³¹.
    Whole(Vec<&'a [i32]>),
}

impl Planes<'_> {
    pub(super) fn frames(&self) -> usize {
        match self {
            Self::Float(planes) => planes.first().map_or(0, |it| it.len()),
            Self::Whole(planes) => planes.first().map_or(0, |it| it.len()),
        }
    }

    pub(super) fn channels(&self) -> usize {
        match self {
            Self::Float(planes) => planes.len(),
            Self::Whole(planes) => planes.len(),
        }
    }
}

impl Decoder {
    /// The decoder of a track's codec, or why there is none. `container` is for messages.
    pub(super) fn new(
        parameters: &AudioCodecParameters,
        container: &'static str,
    ) -> std::result::Result<Self, SoundError> {
        let damaged = |error: Error| SoundError::Damaged {
            what: name(parameters),
            reason: error.to_string(),
        };
        let options = AudioDecoderOptions::default();
        Ok(match parameters.codec {
            codec::CODEC_ID_OPUS => Self::Opus(Box::new(Opus::new(parameters)?)),
            codec::CODEC_ID_MP1 | codec::CODEC_ID_MP2 | codec::CODEC_ID_MP3 => {
                let inner = mpeg_decoder(parameters.codec, parameters).map_err(damaged)?;
                Self::Mpeg { inner: Box::new(inner), kind: 0 }
            }
            codec::CODEC_ID_VORBIS => {
                let inner = VorbisDecoder::try_new(parameters, &options).map_err(damaged)?;
                Self::Frames(Box::new(inner))
            }
            codec::CODEC_ID_FLAC => {
                let inner = FlacDecoder::try_new(parameters, &options).map_err(damaged)?;
                Self::Frames(Box::new(inner))
            }
            codec::CODEC_ID_AAC => {
                let inner = AacDecoder::try_new(parameters, &options).map_err(damaged)?;
                Self::Frames(Box::new(inner))
            }
            codec::CODEC_ID_ALAC => {
                let inner = AlacDecoder::try_new(parameters, &options).map_err(damaged)?;
                Self::Frames(Box::new(inner))
            }
            id => match PcmDecoder::try_new(parameters, &options) {
                Ok(inner) => Self::Other { inner: Box::new(inner), planes: Vec::new() },
                Err(_) => {
                    let codec = unsupported(id);
                    return Err(SoundError::UnsupportedCodec { container, codec });
                }
            },
        })
    }

    /// Decodes a packet. What it became is seen by [`rate`](Self::rate) and
    /// [`planes`](Self::planes) until the next one.
    pub(super) fn decode(&mut self, packet: &Packet) -> Result<()> {
        match self {
            Self::Frames(inner) => inner.decode(packet).map(|_| ()),
            Self::Mpeg { inner, kind } => {
                if let Some(&header) = packet.data.first_chunk() {
                    let new = mpeg::kind(header);
                    if *kind != 0 && *kind != new {
                        let codec = match mpeg::layer(header) {
                            1 => codec::CODEC_ID_MP1,
                            2 => codec::CODEC_ID_MP2,
                            _ => codec::CODEC_ID_MP3,
                        };
                        **inner = mpeg_decoder(codec, &AudioCodecParameters::default())?;
                    }
                    *kind = new;
                }
                inner.decode(packet).map(|_| ())
            }
            Self::Opus(opus) => opus.decode(&packet.data),
            Self::Other { inner, planes } => {
                let decoded = inner.decode(packet)?;
                decoded.copy_to_vecs_planar(planes);
                Ok(())
            }
        }
    }

    /// Frames a second of what was decoded last; 0 before the first.
    pub(super) fn rate(&self) -> u32 {
        match self {
            Self::Frames(inner) | Self::Other { inner, .. } => inner.last_decoded().spec().rate(),
            Self::Mpeg { inner, .. } => inner.last_decoded().spec().rate(),
            Self::Opus(_) => Opus::RATE,
        }
    }

    /// What was decoded last.
    pub(super) fn planes(&self) -> Planes<'_> {
        let buffer = match self {
            Self::Frames(inner) => inner.last_decoded(),
            Self::Mpeg { inner, .. } => inner.last_decoded(),
            Self::Opus(opus) => return opus.planes(),
            Self::Other { planes, .. } => {
                return Planes::Float(planes.iter().map(Vec::as_slice).collect());
            }
        };
        match buffer {
            GenericAudioBufferRef::F32(buffer) => Planes::Float(slices(buffer)),
            GenericAudioBufferRef::S32(buffer) => Planes::Whole(slices(buffer)),
            // None of the decoders above gives anything else.
            _ => Planes::Float(Vec::new()),
        }
    }
}

fn slices<S: symphonia::core::audio::sample::Sample>(buffer: &AudioBuffer<S>) -> Vec<&[S]> {
    (0..buffer.num_planes()).filter_map(|plane| buffer.plane(plane)).collect()
}

/// It cuts nothing off by itself: its packets say wrong things where a file has no LAME tag.
fn mpeg_decoder(codec: AudioCodecId, parameters: &AudioCodecParameters) -> Result<MpaDecoder> {
    let mut parameters = parameters.clone();
    parameters.for_codec(codec);
    MpaDecoder::try_new(&parameters, &AudioDecoderOptions::default().gapless(false))
}

/// What a codec is called.
pub(super) fn name(parameters: &AudioCodecParameters) -> &'static str {
    match parameters.codec {
        codec::CODEC_ID_MP1 => "MPEG audio layer 1",
        codec::CODEC_ID_MP2 => "MPEG audio layer 2",
        codec::CODEC_ID_MP3 => "MP3",
        codec::CODEC_ID_VORBIS => "Vorbis",
        codec::CODEC_ID_OPUS => "Opus",
        codec::CODEC_ID_FLAC => "FLAC",
        codec::CODEC_ID_AAC => "AAC",
        codec::CODEC_ID_ALAC => "ALAC",
        codec::CODEC_ID_PCM_ALAW => "G.711 A-law",
        codec::CODEC_ID_PCM_MULAW => "G.711 \u{3bc}-law",
        _ => "PCM",
    }
}

/// Codecs that people meet and that are not decoded here.
fn unsupported(id: AudioCodecId) -> &'static str {
    match id {
        codec::CODEC_ID_SPEEX => "Speex",
        codec::CODEC_ID_MUSEPACK => "Musepack",
        codec::CODEC_ID_AC3 => "AC-3",
        codec::CODEC_ID_EAC3 => "E-AC-3",
        codec::CODEC_ID_AC4 => "AC-4",
        codec::CODEC_ID_DCA => "DTS",
        codec::CODEC_ID_WMA => "WMA",
        codec::CODEC_ID_WAVPACK => "WavPack",
        codec::CODEC_ID_TTA => "TTA",
        codec::CODEC_ID_TRUEHD => "TrueHD",
        _ => "sound in a codec",
    }
}

/// The bits of an ALAC sample by the decoder's configuration, which may stand behind two atoms that
/// say what it is.
fn alac_bits(mut configuration: &[u8]) -> u32 {
    for name in [b"frma", b"alac"] {
        if configuration.get(4..8) == Some(name) {
            configuration = configuration.get(12..).unwrap_or_default();
        }
    }
    // Behind four bytes of length of a frame and one of version.
    match configuration.get(5) {
        Some(&bits @ (16 | 20 | 24)) => bits.into(),
        _ => 32,
    }
}

/// How many bits a sample needs to be the same again: those of codecs that lose nothing.
pub(super) fn precision(parameters: &AudioCodecParameters) -> u32 {
    match parameters.codec {
        codec::CODEC_ID_MP1
        | codec::CODEC_ID_MP2
        | codec::CODEC_ID_MP3
        | codec::CODEC_ID_VORBIS
        | codec::CODEC_ID_OPUS
        | codec::CODEC_ID_AAC => 32,
        codec::CODEC_ID_PCM_ALAW | codec::CODEC_ID_PCM_MULAW => 16,
        codec::CODEC_ID_ALAC => alac_bits(parameters.extra_data.as_deref().unwrap_or_default()),
        _ => parameters.bits_per_sample.filter(|bits| (1..=32).contains(bits)).unwrap_or(32),
    }
}
