use super::*;

/// Builds WAV files, good and damaged, byte by byte.
struct WavFile {
    bytes: Vec<u8>,
}

impl WavFile {
    fn new() -> Self {
        Self { bytes: b"RIFF\0\0\0\0WAVE".to_vec() }
    }

    fn chunk(self, name: &[u8; 4], body: &[u8]) -> Self {
        let size = body.len() as u32;
        let file = self.sized_chunk(name, size, body);
        if body.len() % 2 == 1 { file.raw(&[0]) } else { file }
    }

    fn sized_chunk(self, name: &[u8; 4], size: u32, body: &[u8]) -> Self {
        self.raw(name).raw(&size.to_le_bytes()).raw(body)
    }

    fn format(self, tag: u16, channels: u16, rate: u32, bits: u16) -> Self {
        self.chunk(b"fmt ", &format_body(tag, channels, rate, bits))
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn parse(&self) -> Result<Sound, SoundError> {
        parse(&self.bytes)
    }

    fn samples(&self) -> Vec<i16> {
        self.parse().unwrap().samples
    }
}

fn format_body(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let block = channels.wrapping_mul(bits.div_ceil(8));
    let mut body = Vec::new();
    for value in [tag, channels] {
        body.extend(value.to_le_bytes());
    }
    body.extend(rate.to_le_bytes());
    body.extend(rate.wrapping_mul(u32::from(block)).to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body
}

fn le(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

#[test]
fn sixteen_bit_mono_is_bit_exact() {
    let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let file = WavFile::new().format(1, 1, 8000, 16).chunk(b"data", &le(&samples));
    let sound = file.parse().unwrap();
    assert_eq!((sound.rate, sound.samples), (8000, samples));
}

#[test]
fn written_files_are_read_back_and_have_the_plain_header() {
    let samples = [0, 1, -1, i16::MAX, i16::MIN];
    let mut bytes = Vec::new();
    write_to(io::Cursor::new(&mut bytes), 8000, &samples).unwrap();
    assert_eq!(bytes.len(), 44 + 10);
    assert_eq!(parse(&bytes).unwrap(), Sound { samples: samples.to_vec(), rate: 8000 });
}

#[test]
fn a_recording_is_whole_on_disk_after_each_checkpoint() {
    let path = std::env::temp_dir().join(format!("diesis-recording-{}.wav", std::process::id()));
    let mut recording = Recording::create(&path, 8000).unwrap();
    assert!(recording.is_empty());
    recording.write(&[1, 2, 3]).unwrap();
    recording.checkpoint().unwrap();
    assert_eq!(Sound::read(&path).unwrap().samples, [1, 2, 3]);
    recording.write(&[4]).unwrap();
    assert_eq!(recording.len(), 4);
    recording.finish().unwrap();
    assert_eq!(Sound::read(&path).unwrap().samples, [1, 2, 3, 4]);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn every_sample_width_keeps_its_sixteen_top_bits() {
    let eight = WavFile::new().format(1, 1, 8000, 8).chunk(b"data", &[0x80, 0xff, 0x00]);
    assert_eq!(eight.samples(), [0, 0x7f00, i16::MIN]);
    let data = [0x00, 0x34, 0x12, 0xff, 0xff, 0x7f, 0x00, 0x00, 0x80];
    let wide = WavFile::new().format(1, 1, 8000, 24).chunk(b"data", &data);
    assert_eq!(wide.samples(), [0x1234, i16::MAX, i16::MIN]);
    let data: Vec<u8> =
        [0x1234_0000_i32, i32::MAX, i32::MIN].iter().flat_map(|s| s.to_le_bytes()).collect();
    let wider = WavFile::new().format(1, 1, 8000, 32).chunk(b"data", &data);
    assert_eq!(wider.samples(), [0x1234, i16::MAX, i16::MIN]);
}

#[test]
fn twelve_bits_in_a_two_byte_container_are_left_justified() {
    let mut format = format_body(1, 1, 8000, 12);
    format[12..14].copy_from_slice(&2_u16.to_le_bytes());
    let file = WavFile::new().chunk(b"fmt ", &format).chunk(b"data", &le(&[0x7ff0, -16]));
    assert_eq!(file.samples(), [0x7ff0, -16]);
}

#[test]
fn floats_saturate_and_what_is_no_number_is_silence() {
    let values = [0.5_f32, -1.0, 1.0, 7.0, f32::NAN, f32::NEG_INFINITY];
    let expected = [16_384, i16::MIN, i16::MAX, i16::MAX, 0, i16::MIN];
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(WavFile::new().format(3, 1, 8000, 32).chunk(b"data", &data).samples(), expected);
    let data: Vec<u8> = values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    assert_eq!(WavFile::new().format(3, 1, 8000, 64).chunk(b"data", &data).samples(), expected);
}

#[test]
fn g711_is_decoded_by_the_tables() {
    let file = WavFile::new().format(7, 1, 8000, 8).chunk(b"data", &[0x80, 0xff, 0x00]);
    assert_eq!(file.samples(), [32_124, 0, -32_124]);
    let file = WavFile::new().format(6, 1, 8000, 8).chunk(b"data", &[0xaa, 0xd5, 0x2a]);
    assert_eq!(file.samples(), [32_256, 8, -32_256]);
}

#[test]
fn extensible_means_its_sub_format() {
    let mut format = format_body(0xfffe, 1, 16_000, 32);
    // Size of the extension, 24 valid bits, speaker mask, sub-format GUID of PCM.
    format.extend([22, 0, 24, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0]);
    format.extend([0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    let data = 0x1234_5600_i32.to_le_bytes();
    let file = WavFile::new().chunk(b"fmt ", &format).chunk(b"data", &data);
    assert_eq!(file.samples(), [0x1234]);
    let cut = WavFile::new().chunk(b"fmt ", &format[..24]).chunk(b"data", &data);
    assert!(matches!(cut.parse(), Err(SoundError::InvalidFormat { .. })));
}

#[test]
fn channels_are_averaged_without_overflow() {
    let file = WavFile::new()
        .format(1, 2, 8000, 16)
        .chunk(b"data", &le(&[100, 300, i16::MAX, i16::MAX, i16::MIN, i16::MIN, -5, 5]));
    assert_eq!(file.samples(), [200, i16::MAX, i16::MIN, 0]);
    let surround = WavFile::new().format(1, 6, 8000, 16).chunk(b"data", &le(&[0, 0, 600, 0, 0, 0]));
    assert_eq!(surround.samples(), [100]);
}

#[test]
fn chunks_before_and_after_the_data_are_skipped() {
    let file = WavFile::new()
        .chunk(b"JUNK", &[1, 2, 3])
        .chunk(b"bext", &[0; 602])
        .format(1, 1, 8000, 16)
        .chunk(b"LIST", b"INFOISFT\x05\0\0\0abcde\0")
        .chunk(b"data", &le(&[7, 8]))
        .chunk(b"LIST", b"INFO");
    assert_eq!(file.samples(), [7, 8]);
}

#[test]
fn an_odd_chunk_without_its_pad_byte_is_survived() {
    let file = WavFile::new()
        .format(1, 1, 8000, 16)
        .sized_chunk(b"junk", 3, &[1, 2, 3])
        .chunk(b"data", &le(&[7, 8]));
    assert_eq!(file.samples(), [7, 8]);
}

#[test]
fn sizes_that_lie_are_cut_to_what_is_there() {
    for size in [4, 5, 1000, 0x7fff_ffff, u32::MAX - 1, u32::MAX] {
        let file = WavFile::new().format(1, 1, 8000, 16).sized_chunk(b"data", size, &le(&[7, 8]));
        assert_eq!(file.samples(), [7, 8], "size {size}");
    }
}

#[test]
fn data_of_size_zero_is_a_stream_unless_another_chunk_follows() {
    let stream = WavFile::new().format(1, 1, 8000, 16).sized_chunk(b"data", 0, &le(&[7; 50]));
    assert_eq!(stream.samples(), [7; 50]);
    let empty = WavFile::new().format(1, 1, 8000, 16).chunk(b"data", &[]).chunk(b"LIST", b"INFO");
    assert_eq!(empty.samples(), []);
}

#[test]
fn a_truncated_file_gives_its_whole_frames() {
    let mut file = WavFile::new().format(1, 2, 8000, 16).chunk(b"data", &le(&[10, 20, 30, 40]));
    file.bytes.truncate(file.bytes.len() - 1);
    assert_eq!(file.samples(), [15]);
}

#[test]
fn big_endian_rifx_is_read() {
    let mut bytes = b"RIFX\0\0\0\0WAVEfmt \0\0\0\x10\0\x01\0\x01".to_vec();
    bytes.extend(8000_u32.to_be_bytes());
    bytes.extend(16_000_u32.to_be_bytes());
    bytes.extend([0, 2, 0, 16]);
    bytes.extend(b"data\0\0\0\x04\x12\x34\xff\xfe");
    assert_eq!(parse(&bytes).unwrap().samples, [0x1234, -2]);
}

#[test]
fn rf64_takes_the_data_size_from_ds64() {
    let mut ds64 = vec![0; 28];
    ds64[8..16].copy_from_slice(&4_u64.to_le_bytes());
    let mut file = WavFile::new()
        .chunk(b"ds64", &ds64)
        .format(1, 1, 8000, 16)
        .sized_chunk(b"data", u32::MAX, &le(&[7, 8]))
        .chunk(b"LIST", b"INFO");
    file.bytes[..4].copy_from_slice(b"RF64");
    assert_eq!(file.samples(), [7, 8]);
}

#[test]
fn damaged_or_foreign_files_are_refused_by_kind() {
    let data = le(&[0; 8]);
    assert!(matches!(parse(b""), Err(SoundError::NotWav)));
    assert!(matches!(parse(b"no sound, named .wav"), Err(SoundError::NotWav)));
    let file = WavFile::new();
    assert!(matches!(file.parse(), Err(SoundError::MissingChunk { chunk: "fmt " })));
    let file = WavFile::new().format(1, 1, 8000, 16);
    assert!(matches!(file.parse(), Err(SoundError::MissingChunk { chunk: "data" })));
    let file = WavFile::new().format(1, 0, 8000, 16).chunk(b"data", &data);
    assert!(matches!(file.parse(), Err(SoundError::InvalidFormat { .. })));
    let file = WavFile::new().format(1, 1, 0, 16).chunk(b"data", &data);
    assert!(matches!(file.parse(), Err(SoundError::UnsupportedRate { rate: 0 })));
    let file = WavFile::new().format(0x31, 1, 8000, 0).chunk(b"data", &data);
    let error = file.parse().unwrap_err();
    assert!(matches!(error, SoundError::UnsupportedEncoding { tag: 0x31, .. }));
    assert!(error.to_string().contains("GSM"), "{error}");
    let file = WavFile::new().format(1, u16::MAX, 8000, 16).chunk(b"data", &data);
    assert!(matches!(file.parse(), Err(SoundError::InvalidFormat { .. })));
}

#[test]
fn a_file_of_nothing_but_empty_chunks_is_given_up() {
    let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
    file.resize(file.len() + (1 << 20), 0);
    file.extend(
        b"fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x02\0\0\0\x01\0",
    );
    assert!(matches!(parse(&file), Err(SoundError::MissingChunk { .. })));
}
