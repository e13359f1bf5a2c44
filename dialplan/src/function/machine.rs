//! FILE(), STAT(), SHELL() and their kin: what touches the machine, once the operator allows it.

use bstr::BStr;

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_integer, split};
use crate::expression::write_whole;
use crate::host::FunctionError;
use crate::machine::{Machine, SystemItem};
use crate::scope::Scope;

const NO_FILES: FunctionError =
    FunctionError::Unavailable("access to files from the dialplan is switched off");
const NO_PROGRAMS: FunctionError =
    FunctionError::Unavailable("running programs from the dialplan is switched off");

/// `FILE(path[,offset[,length[,options[,line ends]]]])`.
pub(super) fn file(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let request = Request::parse(arguments)?;
    let machine = scope.host.machine().ok_or(NO_FILES)?;
    let content = read(machine, request.path)?;
    let range = request.range(&content);
    out.extend_from_slice(&content[range]);
    Ok(())
}

/// `Set(FILE(path[,offset[,length[,options[,line ends]]]])=text)`. Option `a` appends, `l` counts in lines, `d`
/// does not end the text with a line end.
pub(super) fn set_file(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let request = Request::parse(arguments)?;
    let machine = scope.host.machine().ok_or(NO_FILES)?;
    let path = BStr::new(request.path);
    let mut text = value.to_vec();
    if request.has(b'l') && !request.has(b'd') {
        text.extend_from_slice(request.line_end());
    }
    let content = match machine.read(path) {
        Some(mut content) if request.has(b'a') => {
            content.extend_from_slice(&text);
            content
        }
        Some(mut content) if request.offset.is_some() => {
            let range = request.range(&content);
            content.splice(range, text);
            content
        }
        _ => text,
    };
    if content.len() > LARGEST {
        return wrong("the file would be too large");
    }
    if machine.write(path, &content) { Ok(()) } else { wrong("the file can not be written") }
}

/// `FILE_COUNT_LINE(path[,line ends])`.
pub(super) fn count_lines(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(path) = parts.first().filter(|path| !path.is_empty()) else {
        return wrong("requires a path");
    };
    let machine = scope.host.machine().ok_or(NO_FILES)?;
    let content = read(machine, path)?;
    let format = match parts.get(1).and_then(|format| format.first()) {
        Some(letter) => *letter,
        None => format_of(&content).unwrap_or(b'u'),
    };
    let end = if format == b'm' { b'\r' } else { b'\n' };
    write_whole(memchr::memchr_iter(end, &content).count() as i64, out);
    Ok(())
}

/// FILE_FORMAT(path): `u`, `d`, `m`, or `x` when it has no line end.
pub(super) fn file_format(scope: &mut Scope<'_>, path: &[u8], out: &mut Vec<u8>) -> Reading {
    if path.is_empty() {
        return wrong("requires a path");
    }
    let machine = scope.host.machine().ok_or(NO_FILES)?;
    let content = read(machine, path)?;
    out.push(format_of(&content).unwrap_or(b'x'));
    Ok(())
}

/// STAT(flag,path): `d` a directory, `e` exists, `f` a file, `m` mode, `s` size, `A` `C` `M` times.
pub(super) fn stat(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let (Some(flag), Some(path)) = (parts.first().and_then(|flag| flag.first()), parts.get(1))
    else {
        return wrong("requires a flag and a path: STAT(d|e|f|m|s|A|C|M,path)");
    };
    let machine = scope.host.machine().ok_or(NO_FILES)?;
    let facts = machine.stat(BStr::new(&**path));
    let Some(facts) = facts else {
        out.push(b'0');
        return Ok(());
    };
    match flag {
        b'e' => out.push(b'1'),
        b'd' => out.push(b'0' + u8::from(facts.is_directory)),
        b'f' => out.push(b'0' + u8::from(!facts.is_directory)),
        b'm' => out.extend_from_slice(format!("{:o}", facts.mode & 0o7777).as_bytes()),
        b's' => out.extend_from_slice(facts.size.to_string().as_bytes()),
        b'A' => write_whole(facts.accessed, out),
        b'C' => write_whole(facts.changed, out),
        b'M' => write_whole(facts.modified, out),
        _ => return wrong("unknown flag: d, e, f, m, s, A, C or M"),
    }
    Ok(())
}

/// SHELL(command).
pub(super) fn shell(scope: &mut Scope<'_>, command: &[u8], out: &mut Vec<u8>) -> Reading {
    if command.is_empty() {
        return wrong("requires a command");
    }
    let machine = scope.host.machine().ok_or(NO_PROGRAMS)?;
    match machine.shell(BStr::new(command)) {
        Some(text) => out.extend_from_slice(&text),
        None => return wrong("the command could not be run"),
    }
    Ok(())
}

/// SYSINFO(item).
pub(super) fn system(scope: &mut Scope<'_>, item: &[u8], out: &mut Vec<u8>) -> Reading {
    let item = match item.to_ascii_lowercase().as_slice() {
        b"loadavg" => SystemItem::Load,
        b"numcalls" => SystemItem::Calls,
        b"uptime" => SystemItem::Uptime,
        b"totalram" => SystemItem::TotalMemory,
        b"freeram" => SystemItem::FreeMemory,
        b"bufferram" => SystemItem::Buffers,
        b"totalswap" => SystemItem::TotalSwap,
        b"freeswap" => SystemItem::FreeSwap,
        b"numprocs" => SystemItem::Processes,
        _ => {
            return wrong(
                "unknown item: loadavg, numcalls, uptime, totalram, freeram, bufferram, totalswap, freeswap, numprocs",
            );
        }
    };
    if item == SystemItem::Calls && scope.host.machine().is_none() {
        // This the engine knows of itself.
        write_whole(scope.host.channels().len() as i64, out);
        return Ok(());
    }
    let off = FunctionError::Unavailable("facts about the system are not available here");
    let value = scope.host.machine().and_then(|machine| machine.system(item)).ok_or(off)?;
    match item {
        SystemItem::Load => {
            out.extend_from_slice(format!("{:.6}", value as f64 / 100.0).as_bytes());
        }
        _ => out.extend_from_slice(value.to_string().as_bytes()),
    }
    Ok(())
}

fn read(machine: &dyn Machine, path: &[u8]) -> Result<Vec<u8>, FunctionError> {
    let content = machine.read(BStr::new(path));
    content.filter(|content| content.len() <= LARGEST).ok_or_else(|| {
        FunctionError::Arguments(format!("the file '{}' can not be read", BStr::new(path)))
    })
}

/// By the first line end: `u` for `\n`, `d` for `\r\n`, `m` for `\r`.
fn format_of(content: &[u8]) -> Option<u8> {
    let end = memchr::memchr2(b'\r', b'\n', content)?;
    Some(match (content[end], content.get(end + 1)) {
        (b'\n', _) => b'u',
        (_, Some(b'\n')) => b'd',
        _ => b'm',
    })
}

/// The arguments of FILE().
struct Request<'a> {
    path: &'a [u8],
    offset: Option<i64>,
    length: Option<i64>,
    options: &'a [u8],
    format: Option<u8>,
}

impl<'a> Request<'a> {
    fn parse(arguments: &'a [u8]) -> Result<Self, FunctionError> {
        // Paths and options never hold quotes that matter: plain commas do.
        let mut parts = arguments.split(|byte| *byte == b',');
        let path = parts.next().filter(|path| !path.is_empty());
        let Some(path) = path else { return wrong("requires a path") };
        let number =
            |text: Option<&[u8]>| text.and_then(scan_integer).map(|(number, _)| i64::from(number));
        let (offset, length) = (number(parts.next()), number(parts.next()));
        let options = parts.next().unwrap_or_default();
        let format = parts.next().and_then(|format| format.first().copied());
        Ok(Self { path, offset, length, options, format })
    }

    fn has(&self, letter: u8) -> bool {
        self.options.contains(&letter)
    }

    fn line_end(&self) -> &'static [u8] {
        match self.format {
            Some(b'd') => b"\r\n",
            Some(b'm') => b"\r",
            _ => b"\n",
        }
    }

    /// The bytes that are meant: negative numbers count from the end.
    fn range(&self, content: &[u8]) -> std::ops::Range<usize> {
        let bounds: Vec<usize> = if self.has(b'l') {
            let end = self.format.or_else(|| format_of(content)).unwrap_or(b'u');
            let end = if end == b'm' { b'\r' } else { b'\n' };
            let ends = memchr::memchr_iter(end, content).map(|at| at + 1);
            let mut bounds: Vec<usize> = std::iter::once(0).chain(ends).collect();
            if bounds.last() != Some(&content.len()) {
                bounds.push(content.len());
            }
            bounds
        } else {
            Vec::new()
        };
        let count = if self.has(b'l') { bounds.len() - 1 } else { content.len() } as i64;
        let offset = self.offset.unwrap_or(0);
        let first = if offset < 0 { (count + offset).max(0) } else { offset.min(count) };
        let last = match self.length {
            None => count,
            Some(length) if length < 0 => (count + length).max(first),
            Some(length) => (first + length).min(count),
        };
        let (first, last) = (first as usize, last as usize);
        if self.has(b'l') { bounds[first]..bounds[last] } else { first..last }
    }
}

/// Bytes of a file that the dialplan reads or writes.
const LARGEST: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::channel::Channel;
    use crate::executor::Executor;
    use crate::host::MemoryHost;
    use crate::machine::MemoryMachine;
    use crate::plan::Plan;

    fn host() -> MemoryHost {
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut machine = MemoryMachine::default();
        machine.files.insert("/etc/list".into(), b"one\ntwo\nthree\n".to_vec());
        machine.commands.insert("echo hi".into(), b"hi\n".to_vec());
        host.machine = Some(machine);
        host
    }

    #[test]
    fn parts_of_files_are_read_and_written_by_bytes_and_lines() {
        let (plan, mut host) = (Plan::default(), host());
        let mut executor = Executor::idle(Channel::new("Test/1"), "a", "s", 1);
        let mut value =
            |text: &str| executor.evaluate(&plan, &mut host, text.as_bytes()).to_string();
        assert_eq!(value("${FILE(/etc/list,0,3)}"), "one");
        assert_eq!(value("${FILE(/etc/list,-6)}"), "three\n");
        assert_eq!(value("${FILE(/etc/list,1,1,l)}"), "two\n");
        assert_eq!(value("${FILE(/etc/list,-1,,l)}"), "three\n");
        assert_eq!(value("${FILE_COUNT_LINE(/etc/list)}${FILE_FORMAT(/etc/list)}"), "3u");
        assert_eq!(value("${STAT(e,/etc/list)}${STAT(d,/etc)}${STAT(s,/etc/list)}"), "1114");
        assert_eq!(value("${STAT(e,/nosuch)}"), "0");
        assert_eq!(value("${SHELL(echo hi)}"), "hi\n");
        let plan = Plan::default();
        let mut host = self::host();
        let mut executor = Executor::idle(Channel::new("Test/1"), "a", "s", 1);
        for step in [
            "Set(FILE(/etc/list,1,1,l)=zwei)",
            "Set(FILE(/etc/list,,,al)=four)",
            "Set(FILE(/new)=x)",
        ] {
            executor.run_application(&plan, &mut host, step.as_bytes());
        }
        let files = &host.machine.as_ref().expect("it is there").files;
        assert_eq!(files[bstr::BStr::new("/etc/list")], b"one\nzwei\nthree\nfour\n");
        assert_eq!(files[bstr::BStr::new("/new")], b"x");
    }

    #[test]
    fn without_the_operator_nothing_is_touched() {
        let plan = Plan::default();
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut executor = Executor::idle(Channel::new("Test/1"), "a", "s", 1);
        for text in ["${FILE(/etc/passwd)}", "${STAT(e,/)}", "${SHELL(id)}"] {
            host.log.clear();
            assert_eq!(executor.evaluate(&plan, &mut host, text.as_bytes()), "");
            assert!(host.log[0].1.contains("switched off"), "{:?}", host.log);
        }
    }
}
