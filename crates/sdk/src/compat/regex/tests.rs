use super::*;

fn plain(pattern: &str) -> PyRegex {
    PyRegex::new(pattern, Flags::default()).unwrap()
}

fn all(pattern: &str, text: &str) -> Value {
    plain(pattern).find_all(text).unwrap().into()
}

fn sub(pattern: &str, template: &str, text: &str) -> String {
    let re = plain(pattern);
    re.replace(text, &re.replacement(template).unwrap(), 0)
        .unwrap()
}

fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    Value::list(items.into_iter().map(Value::from))
}

#[test]
fn empty_matches_follow_pythons_rules() {
    assert_eq!(all("a*?", "aa"), texts(["", "a", "", "a", ""]));
    assert_eq!(all("|a", "a"), texts(["", "a", ""]));
    assert_eq!(sub("x*", "-", "abxd"), "-a-b--d-");
    assert_eq!(
        plain(r"\b").split("a é", 0).unwrap(),
        ["", "a", " ", "é", ""].map(Some)
    );
}

#[test]
fn findall_gives_wholes_or_the_group_or_lists_of_groups() {
    assert_eq!(all(r"\d+", "1 22"), texts(["1", "22"]));
    assert_eq!(all(r"(\d)x|y", "1x y"), texts(["1", ""]));
    assert_eq!(
        all(r"(\w)=(\d)?", "a=1 b="),
        Value::list([texts(["a", "1"]), texts(["b", ""])])
    );
}

#[test]
fn the_dialect_is_pythons() {
    let yes = |pattern: &str, text: &str| plain(pattern).search(text).unwrap().is_some();
    assert!(yes(r"(?P<q>['\x22]).*?(?P=q)", "say 'x'"));
    assert!(yes("(a)?b(?(1)c|d)$", "abc") && yes("^(a)?b(?(1)c|d)$", "bd"));
    assert!(!yes("^(a)?b(?(1)c|d)$", "abd"));
    assert!(yes("end$", "end\n") && !yes(r"end\Z", "end\n") && !yes("end$", "end\n\n"));
    assert!(yes("(?i)ÄB", "xäb") && yes("(?im)^b$", "a\nB\nc"));
    assert!(yes("a{,2}b{x", "b{x") && yes("[]a&&[]", "]"));
    assert!(yes("(?x) a b # c\n [ ]", "ab ") && yes("(?x:a b)c d", "abc d"));
    assert!(yes(r"\u00e9\x41\101\0", "éAA\0") && yes(r"[\b\101-C]", "B"));
    assert!(!yes(r"(?a)\w", "é") && yes(r"(?a)\bx", "éx") && !yes(r"\bx", "éx"));
    assert!(yes("(?>a+)b", "aab") && !yes("a++ab", "aaab") && yes("a{2}+b", "aab"));
}

#[test]
fn replacements_know_numbers_names_and_escapes() {
    assert_eq!(sub(r"(\w+) (\w+)", r"\2 \1\n", "a b"), "b a\n");
    assert_eq!(sub(r"(?P<n>\d)(x)?", r"<\g<n>\g<1>\g<0>\2>", "1"), "<111>");
    assert_eq!(sub("a", r"\\1\.$1", "a"), r"\1\.$1");
    let re = plain("(a)");
    for (template, why) in [
        (r"\2", "invalid group reference 2 at position 0"),
        (r"\g<x>", "unknown group name 'x'"),
        (r"\q", r"bad escape \q"),
        (r"\g1", "missing <"),
    ] {
        let e = re.replacement(template).unwrap_err().to_string();
        assert!(e.contains(why), "{template}: {e}");
    }
}

#[test]
fn counts_limit_and_groups_stay_in_a_split() {
    let re = plain("-");
    assert_eq!(re.split("a-b-c", 1).unwrap(), [Some("a"), Some("b-c")]);
    assert_eq!(re.split("a-b", -1).unwrap(), [Some("a-b")]);
    let parts = plain("(-)|(;)").split("a-b;c", 0).unwrap();
    assert_eq!(
        parts,
        [
            Some("a"),
            Some("-"),
            None,
            Some("b"),
            None,
            Some(";"),
            Some("c")
        ]
    );
    let none = Replacement::literal("x");
    assert_eq!(re.replace("a-b-c", &none, 1).unwrap(), "axb-c");
    assert_eq!(re.replace("a-b", &none, -1).unwrap(), "a-b");
}

#[test]
fn wrong_patterns_say_what_and_where() {
    for (pattern, why) in [
        ("[a", "unterminated character set at position 0"),
        ("a)", "unbalanced parenthesis at position 1"),
        ("(a", "missing ), unterminated subpattern at position 0"),
        ("*a", "nothing to repeat at position 0"),
        ("a**", "multiple repeat"),
        (r"\q", r"bad escape \q"),
        (r"\p{L}", r"bad escape \p"),
        ("[z-a]", "bad character range z-a"),
        (r"(a)\2", "invalid group reference 2"),
        (r"(a\1)", "cannot refer to an open group"),
        ("(?P<1>a)", "bad character in group name"),
        ("a(?i)b", "global flags not at the start"),
        ("(?<n>a)", "unknown extension ?<n"),
        ("a{3,2}", "min repeat greater"),
        ("(?P<n>a)(?P<n>b)", "redefinition of group name"),
    ] {
        let e = PyRegex::new(pattern, Flags::default()).err().unwrap();
        assert!(e.to_string().contains(why), "{pattern}: {e}");
    }
}

#[test]
fn hostile_patterns_are_refused_or_end_soon() {
    let bombs = [
        "((a{1000}){1000}){1000}".to_owned(),
        r"((\w{500}){500}){500}".to_owned(),
        "(?:(?=a)a{1000}){1000}{".repeat(20),
        "(".repeat(10_000),
        "a".repeat(1 << 20),
        "(?:a?){90000}a".to_owned(),
    ];
    for bomb in &bombs {
        if let Ok(re) = PyRegex::new(bomb, Flags::default()) {
            assert!(re.search("aaaa").is_ok());
        }
    }
    let slow = plain(r"(?=(a+)+$)(x+x+)+y|(a+)+\1b");
    assert_eq!(
        slow.search(&"a".repeat(5_000)).unwrap_err(),
        RegexError::TooMuchWork
    );
    let wide = plain("(?s)(?=(.*))");
    // Whichever of its bounds it meets first: on a slow machine that is the time.
    let refused = wide.find_all(&"a".repeat(40_000)).unwrap_err();
    assert!(
        matches!(refused, RegexError::TooBig | RegexError::TooMuchWork),
        "{refused:?}"
    );
}
