use super::*;
use crate::codes;

fn read(text: &str) -> Conf {
    read_files(&[("main.conf", text)])
}

fn read_files(files: &[(&str, &str)]) -> Conf {
    load("main.conf", &in_memory(files), &Options::default())
}

fn in_memory(files: &[(&str, &str)]) -> MemoryFiles {
    files.iter().fold(MemoryFiles::new(), |files, (name, text)| files.with(*name, text))
}

fn lenient() -> Options {
    Options::default().with_recovery(Recovery::Continue { implied_section: "default".into() })
}

/// `section:name=value` for every entry.
fn entries(conf: &Conf) -> Vec<String> {
    conf.sections()
        .flat_map(|section| {
            section
                .entries()
                .map(move |entry| format!("{}:{}={}", section.name(), entry.name(), entry.value()))
        })
        .collect()
}

fn codes_of(conf: &Conf) -> Vec<&str> {
    conf.diagnostics().iter().map(|diagnostic| diagnostic.code.as_str()).collect()
}

#[test]
fn names_and_values_are_trimmed_and_split_at_the_first_equals() {
    let conf = read("[a]\n x = 1 = 2 \ny=>z\nw==>v\n");
    assert_eq!(entries(&conf), ["a:x=1 = 2", "a:y=z", "a:w==>v"]);
    let a = conf.section("A").expect("names of sections ignore case");
    assert_eq!(a.get("X"), Some("1 = 2".into()));
    assert!(a.entry("y").is_some_and(|entry| entry.has_arrow() && entry.line() == 3));
}

#[test]
fn a_line_before_the_first_section_refuses_the_file() {
    let conf = read("x=1\n[a]\ny=2\n");
    assert!(conf.is_refused());
    assert_eq!(entries(&conf), Vec::<String>::new());
    assert_eq!(codes_of(&conf), ["D002"]);
}

#[test]
fn the_lenient_way_goes_on_and_reports_each_cause_once() {
    let text = "x=1\ny=2\n[a\nz=3\n[b](nosuch)\nw=4\n#include nosuch.conf\nv=5\n";
    let conf = load("main.conf", &in_memory(&[("main.conf", text)]), &lenient());
    assert!(conf.is_refused());
    assert_eq!(codes_of(&conf), ["D002", "D003", "D006", "D007"]);
    assert_eq!(entries(&conf), ["default:x=1", "default:y=2", "a:z=3", "b:w=4", "b:v=5"]);
}

#[test]
fn templates_give_their_entries_first() {
    let conf = read("[t](!)\nx=1\n[u](!,t)\ny=2\n[a](u,t)\nz=3\n");
    assert_eq!(entries(&conf), ["a:x=1", "a:y=2", "a:x=1", "a:z=3"]);
    assert_eq!(conf.all_sections().count(), 3);
    assert!(conf.section("t").is_none(), "a template is not a section");
}

#[test]
fn plus_appends_to_the_first_section_of_that_name() {
    let conf = read("[a]\nx=1\n[b]\ny=2\n[A](+)\nz=3\n");
    assert_eq!(entries(&conf), ["a:x=1", "a:z=3", "b:y=2"]);
    assert!(read("[a](+)\nx=1\n").is_refused());
}

#[test]
fn a_filter_chooses_the_section_to_append_to() {
    let text = "[a]\ntype=one\n[a]\ntype=two\n[a](+type=^two$)\nz=3\n[a](+type=three)\n";
    let conf = read(text);
    assert!(conf.is_refused());
    let conf = load("main.conf", &in_memory(&[("main.conf", text)]), &lenient());
    assert_eq!(entries(&conf)[..3], ["a:type=one", "a:type=two", "a:z=3"]);
}

#[test]
fn plus_equals_appends_to_the_last_value() {
    let conf = read("[a]\nx=1\nx=2\nx += , 3\ny += 4\n");
    assert_eq!(entries(&conf), ["a:x=1", "a:x=2 , 3", "a:y=4"]);
    let entry = conf.section("a").and_then(|a| a.last_entry("x")).expect("x is there");
    assert_eq!(conf.sources().text(entry.part_span(4..5)), "3");
}

#[test]
fn an_include_goes_on_in_the_section_it_stands_in_and_so_does_the_includer() {
    let main = "[a]\nx=1\n#include inc.conf\ny=2\n";
    let conf = read_files(&[("main.conf", main), ("inc.conf", "z=3\n[b]\nw=4\n")]);
    assert_eq!(entries(&conf), ["a:x=1", "a:z=3", "a:y=2", "b:w=4"]);
    assert_eq!(codes_of(&conf), Vec::<&str>::new());
}

#[test]
fn a_second_include_without_header_goes_on_where_the_first_ended() {
    let main = "[a]\n#include b.conf\n#include c.conf\nx=1\n";
    let conf = read_files(&[("main.conf", main), ("b.conf", "[b]\n"), ("c.conf", "z=3\nw=4\n")]);
    assert_eq!(entries(&conf), ["a:x=1", "b:z=3", "b:w=4"]);
    assert_eq!(codes_of(&conf), ["D021"]);
}

#[test]
fn a_missing_include_refuses_and_a_missing_tryinclude_does_not() {
    assert!(read("[a]\n#include nosuch.conf\n").is_refused());
    assert!(read("[a]\n#include <no*.conf>\n").is_refused());
    let conf = read("[a]\n#TryInclude \"nosuch.conf\"\nx=1\n");
    assert!(!conf.is_refused() && conf.diagnostics().is_empty());
}

#[test]
fn an_error_in_an_included_file_ends_that_file_only() {
    let main = "[a]\n#include inc.conf\ny=2\n";
    let conf = read_files(&[("main.conf", main), ("inc.conf", "x=1\n[b\nz=3\n")]);
    assert!(!conf.is_refused());
    assert_eq!(entries(&conf), ["a:x=1", "a:y=2"]);
}

#[test]
fn globs_include_all_files_in_order() {
    let main = "[a]\n#include d/*.conf\n";
    let conf = read_files(&[("main.conf", main), ("d/2.conf", "y=2\n"), ("d/1.conf", "x=1\n")]);
    assert_eq!(entries(&conf), ["a:x=1", "a:y=2"]);
}

#[test]
fn a_file_that_includes_itself_ends() {
    let conf = read("[a]\nx=1\n#include main.conf\n#include main.conf\ny=2\n");
    assert!(codes_of(&conf).contains(&codes::INCLUDE_TOO_DEEP.as_str()));
    assert!(!conf.is_refused() || conf.sections().count() == 0);
}

#[test]
fn a_file_may_be_included_ten_deep() {
    let mut files = MemoryFiles::new();
    for n in 0..12 {
        files =
            files.with(format!("{n}.conf"), format!("[s{n}]\nx={n}\n#include {}.conf\n", n + 1));
    }
    let conf = load("0.conf", &files.with("12.conf", ""), &Options::default());
    assert_eq!(codes_of(&conf), ["D008"]);
    assert_eq!(conf.sections().count(), 11);
    assert!(!conf.is_refused(), "only the innermost file is cut short");
}

#[test]
fn what_a_header_inherits_before_it_appends_comes_along() {
    let conf = read("[t](!)\nx=1\n[a]\ny=2\n[a](t,+)\nz=3\n");
    assert_eq!(entries(&conf), ["a:y=2", "a:x=1", "a:z=3"]);
}

#[test]
fn a_long_name_of_a_section_is_cut() {
    let conf = read(&format!("[{}]\n", "a".repeat(100)));
    assert_eq!(conf.sections().next().map(|section| section.name().len()), Some(79));
    assert_eq!(codes_of(&conf), ["D025"]);
}

#[test]
fn includes_that_multiply_end_at_a_limit() {
    let mut files = MemoryFiles::new().with("5.conf", "x=1\n");
    for n in 0..5 {
        let text = "[a]\n".to_owned() + &format!("#include {}.conf\n", n + 1).repeat(20);
        files = files.with(format!("{n}.conf"), text);
    }
    let conf = load("0.conf", &files, &Options::default().with_files(500));
    assert!(conf.is_refused());
    assert_eq!(codes_of(&conf), ["D024"]);
}

#[test]
fn templates_that_double_end_at_a_limit() {
    let mut text = "[t0](!)\nx=1\n".to_owned();
    for n in 1..60 {
        text += &format!("[t{n}](!,t{},t{})\n", n - 1, n - 1);
    }
    let options = Options::default().with_entries(10_000);
    let conf = load("main.conf", &in_memory(&[("main.conf", &text)]), &options);
    assert_eq!(codes_of(&conf), ["D009"]);
}

#[test]
fn exec_is_refused_unless_the_source_runs_it() {
    assert_eq!(codes_of(&read("[a]\n#exec /bin/x\ny=1\n")), ["D016"]);

    struct Runs;
    impl FileSource for Runs {
        fn read(&self, _: &str) -> std::io::Result<Vec<u8>> {
            Ok(b"[a]\n#exec \"/bin/x 1\"\ny=1\n".to_vec())
        }
        fn list(&self, _: &str) -> Vec<String> {
            vec![]
        }
        fn execute(&self, command: &str) -> Option<std::io::Result<Vec<u8>>> {
            Some(Ok(format!("x={command}\n").into_bytes()))
        }
    }
    let conf = load("main.conf", &Runs, &Options::default());
    assert_eq!(entries(&conf), ["a:x=/bin/x 1", "a:y=1"]);
}

#[test]
fn unknown_directives_and_lines_without_equals_are_reported() {
    let conf = read("[a]\n# comment\n#include\n#exec\nfoo\n= bar\n");
    assert_eq!(codes_of(&conf), ["D014", "D015", "D015", "D012", "D013"]);
}

#[test]
fn a_line_broken_in_two_names_both_halves() {
    let conf = read("[a]\nexten = 1,1,NoOp(one\n\ntwo)\nthree\n");
    assert_eq!(codes_of(&conf), ["D012", "D012"]);
    let broken = &conf.diagnostics()[0];
    assert_eq!(broken.message, "this is the rest of line 2: one line was broken in two");
    assert_eq!(broken.help.as_deref(), Some("join lines 2 and 4; what stands here is ignored"));
    assert!(conf.section("a").and_then(|a| a.entry("exten")).is_some_and(|e| e.is_broken()));
    assert_eq!(conf.diagnostics()[1].related, vec![]);
}

#[test]
fn old_mac_line_ends_are_named() {
    assert_eq!(codes_of(&read("[a]\rx=1\r")), ["D022"]);
    assert!(read("[a]\r\nx=1\r\n").diagnostics().is_empty());
}

#[test]
fn a_backslash_escapes_the_first_byte_of_a_name() {
    assert_eq!(entries(&read("[a]\n\\[x=1\n\\#y=2\n\\=z=3\n")), ["a:[x=1", "a:#y=2", "a:=z=3"]);
    assert!(read("[a]\n\\ x=1\n").is_refused());
}

#[test]
fn the_empty_option_is_the_first_section() {
    assert!(read("[a]()\nx=1\n").is_refused());
    assert_eq!(entries(&read("[b]\nx=1\n[a]()\n")), ["b:x=1", "a:x=1"]);
}

#[test]
fn truth_is_as_asterisk_reads_it() {
    assert!(is_true("Yes") && is_true("ON") && !is_true("maybe") && !is_true(""));
    assert!(is_false("Off") && !is_false("maybe"));
}

#[test]
fn any_bytes_can_be_read() {
    proptest::proptest!(|(bytes: Vec<u8>)| {
        let files = MemoryFiles::new().with("main.conf", &bytes);
        for options in [Options::default(), lenient()] {
            let conf = load("main.conf", &files, &options);
            for diagnostic in conf.diagnostics() {
                let _ = diagnostic.render(conf.sources()).to_string();
            }
        }
    });
}

#[test]
fn any_text_of_this_language_can_be_read() {
    let piece = proptest::sample::select(vec![
        "[",
        "]",
        "(",
        ")",
        "a",
        "b",
        "!",
        "+",
        ",",
        "=",
        "=>",
        "+=",
        ";",
        ";--",
        "--;",
        "\\",
        "\\;",
        "\n",
        "\n",
        "#include ",
        "#tryinclude ",
        "main.conf",
        "*",
        "\"",
        "<",
        ">",
        " ",
        "é",
        "\0",
        "\r",
        "&",
        "TEMPLATES=",
        "{",
        "}",
    ]);
    let text = proptest::collection::vec(piece, 0..60);
    let options = [Options::default(), lenient()].map(|options| options.with_files(200));
    proptest::proptest!(|(text in text)| {
        let files = MemoryFiles::new().with("main.conf", text.concat());
        for options in &options {
            let conf = load("main.conf", &files, options);
            for section in conf.all_sections() {
                for entry in section.entries() {
                    let length = entry.value().len();
                    for at in 0..=length {
                        let _ = conf.sources().text(entry.part_span(at..length));
                    }
                }
            }
            for diagnostic in conf.diagnostics() {
                let _ = diagnostic.render(conf.sources()).to_string();
            }
        }
    });
}
