//! The dialect, the plans and the required literals, checked against each other and against what
//! Go answers.

use super::*;
use crate::logql::random::Random;

fn literals(source: &str) -> String {
    let regex = Regex::new(source, Form::Part).unwrap();
    let list = |list: &Vec<Literal>| {
        let texts: Vec<_> = list
            .iter()
            .map(|l| format!("{}{}", if l.fold_case { "~" } else { "" }, String::from_utf8_lossy(&l.text)))
            .collect();
        texts.join("|")
    };
    regex.required_literals().iter().map(list).collect::<Vec<_>>().join(" & ")
}

#[test]
fn finds_what_every_match_must_hold() {
    for (source, expected) in [
        (r"Failed password for .* from 1\d+\.", "Failed password for  &  from 1 & ."),
        (r"\d+ms", "ms"),
        (r"error.*timeout", "error & timeout"),
        (r"(?i)authentication failure", "~authentication failure"),
        (r"status: [45]\d\d len", "status:  &  len"),
        (r"(GET|POST|PUT) /api", "GET|POST|PUT &  /api"),
        (r"a(b|c)?d", "a & d"),
        (r"(foo)+bar", "foo & bar"),
        (r"(foo){2}", "foo"),
        (r"x*yz?", "y"),
        (r"abc|", ""),
        (r"abc|\d+", ""),
        (r"a(?i)b", "a & ~b"),
        (r"(?i)1-2x", "~1-2x"),
        (r"(?i)éa", "~a"),
        (r"\x{fffd}ab", "ab"),
        (r"a\Q.*\Eb", "a.*b"),
        (r"(?:foo|b(ar|az))qux", "foo|ar|az & qux"),
        (r"", ""),
    ] {
        assert_eq!(literals(source), expected, "{source}");
    }
}

#[test]
fn refuses_what_go_refuses_in_its_words() {
    for (source, message) in [
        ("[", "missing closing ]: `[`"),
        ("x[a", "missing closing ]: `[a`"),
        ("(", "missing closing ): `(`"),
        ("a(b", "missing closing ): `a(b`"),
        (")", "unexpected ): `)`"),
        ("a)b", "unexpected ): `a)b`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        (r"\u0041", r"invalid escape sequence: `\u`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[a--b]", "invalid character class range: `a--`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(a{100}){100}", "invalid repeat count: `{100}`"),
        ("a++", "invalid nested repetition operator: `++`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|+", "missing argument to repetition operator: `+`"),
        ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?!x)y", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?P<foo.bar>x)", "invalid named capture: `(?P<foo.bar>`"),
        ("(?<!x)y", "invalid named capture: `(?<!x)y`"),
        ("a\\", "trailing backslash at end of expression: ``"),
    ] {
        assert_eq!(Regex::new(source, Form::Part).unwrap_err(), format!("error parsing regexp: {message}"), "{source}");
    }
}

#[test]
fn an_expression_may_not_exhaust_stack_or_memory() {
    for source in
        ["(".repeat(2000), "(?:".repeat(100) + &")".repeat(100), "(a{30}|b{30}){30}.{1000}\\pL{900}".repeat(40)]
    {
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        let outcome = small.spawn(move || Regex::new(&source, Form::Part).is_err()).unwrap().join();
        assert!(outcome.unwrap());
    }
    let deep = "(".repeat(15) + "a" + &")*".repeat(15);
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    assert!(small.spawn(move || Regex::new(&deep, Form::Part).unwrap().is_match(b"xa")).unwrap().join().unwrap());
}

/// Each row: expression, texts it is found in, texts it is not found in.
const FOUND: &[(&str, &[&str], &[&str])] = &[
    ("", &["", "x"], &[]),
    ("foo|", &["", "x"], &[]),
    ("a.b", &["axb", "aéb"], &["a\nb", "ab"]),
    ("(?s)a.b", &["a\nb"], &["ab"]),
    ("^a$", &["a"], &["a\n", "\na", "ba"]),
    ("(?m)^a$", &["a", "b\na\nc"], &["ba"]),
    (r"\d+ms", &["took 35ms"], &["35 ms", "٣ms"]),
    (r"\s", &[" ", "\t"], &["\u{b}", "\u{a0}", "x"]),
    (r"[\S]", &["\u{b}", "x"], &[" \t"]),
    (r"\bfoo\b", &["a foo b", "foo"], &["afoo", "foo_"]),
    (r"\Bo", &["foo"], &["o", "x o"]),
    ("(?i)authentication FAILURE", &["x AuthEntication failure"], &["authentication"]),
    ("(?i)é", &["É", "é"], &["e"]),
    ("(?i)k", &["K", "k"], &["\u{212a}"]),
    ("(?i)[^a]", &["b"], &["aA"]),
    (".*lit.*", &["x lit y", "\nlit"], &["li"]),
    ("abc|abcd", &["xabcx"], &["ab"]),
    ("(?i:a)b", &["Ab", "ab"], &["AB"]),
    ("a{", &["a{"], &["a"]),
    ("a{,3}", &["a{,3}"], &["aaa"]),
    ("a{2,3}?b", &["aab"], &["ab"]),
    (r"\Qa.b\E", &["a.b"], &["axb"]),
    (r"\101\x42\x{43}", &["ABC"], &["abc"]),
    (r"\/\-\_\<", &["/-_<"], &["/-_"]),
    ("[a&&b]", &["&", "a", "b"], &["c"]),
    ("[[a]", &["[", "a"], &["b"]),
    ("[]a]", &["]", "a"], &["b"]),
    ("[a-]", &["-", "a"], &["b"]),
    ("[[:word:][:^alpha:]]", &["_", "-", "a"], &[]),
    ("[^a]", &["\n", "b"], &["a", ""]),
    ("(?P<n>a)(?P<n>b)", &["ab"], &["a"]),
    (r"\pL\PN", &["éx"], &["1x", "é1"]),
    ("(?U)a+b", &["aab"], &["b"]),
    ("x(?i)y|z", &["xY", "Z", "z"], &["Xy"]),
    ("(a(?i)b)c", &["aBc"], &["aBC"]),
    ("[^\\x00-\\x{10FFFF}]", &[], &["", "a"]),
    ("\u{fffd}", &["\u{fffd}"], &["x"]),
    ("(a|b|c)(d|e)*f", &["af", "bddef"], &["f"]),
];

#[test]
fn finds_what_go_finds() {
    for (source, found, missed) in FOUND {
        let regex = Regex::new(source, Form::Part).unwrap();
        for (texts, expected) in [(found, true), (missed, false)] {
            for text in *texts {
                assert_eq!(regex.is_match(text.as_bytes()), expected, "{source:?} in {text:?}");
            }
        }
    }
}

/// Plan, lazy DFA and regex-lite are three ways to one answer.
#[test]
fn every_engine_gives_the_same_answer() {
    let texts: Vec<&str> = FOUND.iter().flat_map(|row| row.1.iter().chain(row.2)).copied().collect();
    for (source, ..) in FOUND {
        for form in [Form::Part, Form::Whole, Form::WholeDotAll] {
            let regex = Regex::new(source, form).unwrap();
            #[cfg(feature = "dfa")]
            let dfa = dfa::LazyDfa::new(&{
                let node = syntax::parse(source, form == Form::WholeDotAll).unwrap().node;
                let node =
                    if form == Form::Part { node } else { Node::Concat(vec![Node::TextStart, node, Node::TextEnd]) };
                write::write(&node, Reader::Automata)
            })
            .unwrap();
            for text in &texts {
                let expected = regex.lite.is_match(text);
                assert_eq!(regex.is_match(text.as_bytes()), expected, "{source:?} {form:?} on {text:?}");
                #[cfg(feature = "dfa")]
                assert_eq!(
                    dfa.is_match(&mut dfa.cache(), text.as_bytes()),
                    Some(expected),
                    "{source:?} {form:?} on {text:?}"
                );
            }
        }
    }
}

#[test]
fn a_whole_value_must_match() {
    let values = ["axb", "a\nb", "AXB", "xaxbx", ""];
    for (source, dot_all, expected) in [
        ("a.b", true, &["axb", "a\nb"][..]),
        ("a.b", false, &["axb"]),
        ("x", true, &[]),
        ("(?i)axb", true, &["axb", "AXB"]),
        ("axb|", true, &["axb", ""]),
        (".+", true, &["axb", "a\nb", "AXB", "xaxbx"]),
        (".*", false, &["axb", "AXB", "xaxbx", ""]),
        ("a.*", true, &["axb", "a\nb"]),
        (".*b", false, &["axb"]),
        ("a.*b", false, &["axb"]),
        (".*xb.*", true, &["axb", "xaxbx"]),
        ("(?-s)a.b", true, &["axb"]),
    ] {
        let form = if dot_all { Form::WholeDotAll } else { Form::Whole };
        let regex = Regex::new(source, form).unwrap();
        let matching: Vec<_> = values.into_iter().filter(|value| regex.is_match(value.as_bytes())).collect();
        assert_eq!(matching, expected, "{source} {dot_all}");
    }
}

#[test]
fn a_byte_that_is_no_text_is_one_replacement_character() {
    for (source, text, expected) in [
        ("^a..b$", &b"a\xff\xfeb"[..], true),
        ("^a.b$", b"a\xff\xfeb", false),
        ("^.{3}$", b"\xe2\x82x", true),
        ("\\x{fffd}", b"\xff", true),
        ("b\\d", b"\xffb1", true),
        ("lit", b"\xfflit", true),
    ] {
        assert_eq!(Regex::new(source, Form::Part).unwrap().is_match(text), expected, "{source}");
    }
}

#[test]
fn groups_are_found_by_number_and_name() {
    let regex = Regex::new(r"\[(?P<comp>\w+)\].* (?<1x>\d+)ms(z)?", Form::Part).unwrap();
    assert_eq!(regex.group_names(), [Some("comp".into()), Some("1x".into()), None]);
    let mut places = regex.locations();
    assert!(regex.captures_at(&mut places, "x [db] slow 900ms", 0));
    assert_eq!((places.get(1), places.get(2), places.get(3)), (Some((3, 5)), Some((12, 15)), None));
    assert!(!regex.captures_at(&mut places, "x [db] slow 900ms", 5));
}

#[test]
fn replacements_are_filled_in() {
    let regex = Regex::new(r"(?P<a>\w+)-(\w+)(z)?", Form::Part).unwrap();
    let mut places = regex.locations();
    let text = "x one-two";
    assert!(regex.captures_at(&mut places, text, 0));
    for (replacement, expected) in [
        ("$1/$2", "one/two"),
        ("${a}x$ax", "onex"),
        ("$$1 $", "$1 $"),
        ("${1}0 $10", "one0 "),
        ("[$3$9$nope]", "[]"),
        ("${a", "${a"),
        ("$-", "$-"),
        ("${}", "${}"),
        ("${a-b}", "${a-b}"),
        ("$0", "one-two"),
        ("", ""),
    ] {
        let mut out = String::new();
        assert_eq!(regex.expand(&places, text, replacement, expected.len(), &mut out), Ok(()), "{replacement}");
        assert_eq!(out, expected, "{replacement}");
        let too_long = regex.expand(&places, text, replacement, expected.len() * 2, &mut out);
        assert_eq!(too_long, Ok(()), "what is there already counts: {replacement}");
        let too_long = regex.expand(&places, text, &format!("{replacement}{replacement}."), out.len(), &mut out);
        assert_eq!(too_long, Err(TooLong), "{replacement}");
    }
}

/// Random expressions over random texts: the engines agree, and a text that matches holds one of
/// each list of required literals.
#[test]
fn random_expressions_keep_their_promises() {
    const PIECES: &[&str] = &[
        "a",
        "b",
        "foo",
        "Bar",
        "\\d",
        "\\w",
        "[ab]",
        "[^a]",
        ".",
        ".*",
        "(",
        "(?i:",
        ")",
        "|",
        "*",
        "+",
        "?",
        "{2}",
        "{1,3}",
        "^",
        "$",
        "\\b",
        "é",
        "\\s",
        "(?i)",
        "x*?",
        "\\x{fffd}",
    ];
    const TEXTS: &[&str] = &["a", "b", "foo", "FOO", "bar", "1", " ", "\n", "é", "É", "\u{fffd}", "x", "_"];
    let mut random = Random::new();
    let (mut compiled, mut matched) = (0, 0);
    for _ in 0..4000 {
        let source = random.text(PIECES, 7);
        let form = random.pick(&[Form::Part, Form::Whole, Form::WholeDotAll]);
        let Ok(regex) = Regex::new(&source, form) else {
            continue;
        };
        compiled += 1;
        for _ in 0..8 {
            let text = random.text(TEXTS, 6);
            let expected = regex.lite.is_match(&text);
            assert_eq!(regex.is_match(text.as_bytes()), expected, "{source:?} {form:?} on {text:?}");
            #[cfg(feature = "dfa")]
            if let Some(dfa) = regex.dfa.get() {
                assert_eq!(dfa.is_match(&mut dfa.cache(), text.as_bytes()), Some(expected), "{source:?} on {text:?}");
            }
            if expected {
                matched += 1;
                let held = |list: &Vec<Literal>| list.iter().any(|literal| Needle::new(literal).is_in(text.as_bytes()));
                assert!(regex.required_literals().iter().all(held), "{source:?} on {text:?}");
            }
        }
    }
    assert!(compiled > 1000 && matched > 1000, "{compiled} {matched}");
}
