//! The paths of `| json x="a.b[0]"`.

/// How deep a path may lead; it is followed recursively.
const STEPS_MAX: usize = 64;

/// One step from a value into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The member of this name.
    Field(String),
    /// The element at this place.
    Index(usize),
}

/// Parses a path such as `a.b[0]["any key"]`. The error is Loki's.
pub(super) fn parse_path(text: &str) -> Result<Vec<Step>, String> {
    let fail = |message: &str| Err(format!("cannot parse expression [{text}]: {message}"));
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let after_dot = rest.strip_prefix('.');
        if let Some(bracket) = rest.strip_prefix('[') {
            let (step, tail) = match bracketed(bracket) {
                Ok(found) => found,
                Err(message) => return fail(message),
            };
            steps.push(step);
            rest = tail;
        } else if after_dot.is_some() || steps.is_empty() {
            rest = after_dot.unwrap_or(rest);
            let length = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let name = &rest[..length];
            match (name, rest[length..].chars().next()) {
                ("", None) => return fail("syntax error: unexpected $end, expecting FIELD"),
                ("", Some('.')) => return fail("syntax error: unexpected DOT, expecting FIELD"),
                ("", Some('[')) => return fail("syntax error: unexpected LSB, expecting FIELD"),
                ("", Some(other)) => return fail(&format!("unexpected char {other}")),
                _ if name.starts_with(|c: char| c.is_ascii_digit()) => {
                    return fail(&format!("unexpected char {}", &name[..1]));
                }
                _ => {}
            }
            steps.push(Step::Field(name.to_owned()));
            rest = &rest[length..];
        } else {
            let unexpected = rest.chars().next().unwrap_or(' ');
            return fail(&format!("unexpected char {unexpected}"));
        }
        if rest.is_empty() {
            break;
        }
    }
    if steps.len() > STEPS_MAX { fail("too many steps") } else { Ok(steps) }
}

/// What stands behind `[`, and what follows its `]`.
fn bracketed(text: &str) -> Result<(Step, &str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (key, tail) = quoted.split_once('"').ok_or("syntax error: unexpected $end, expecting RSB")?;
        let tail = tail.strip_prefix(']').ok_or("syntax error: unexpected token, expecting RSB")?;
        return Ok((Step::Field(key.to_owned()), tail));
    }
    let (index, tail) = text.split_once(']').ok_or("syntax error: unexpected $end, expecting RSB")?;
    let sound = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    let index = sound.then(|| index.parse().ok()).flatten();
    let index = index.ok_or("syntax error: unexpected token, expecting INDEX or STRING")?;
    Ok((Step::Index(index), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_paths() {
        let field = |name: &str| Step::Field(name.to_owned());
        for (text, steps) in [
            ("a", vec![field("a")]),
            (".a.b_1", vec![field("a"), field("b_1")]),
            ("a[0][12].c", vec![field("a"), Step::Index(0), Step::Index(12), field("c")]),
            (r#"["any key"]["x.y"]"#, vec![field("any key"), field("x.y")]),
            ("[0]", vec![Step::Index(0)]),
        ] {
            assert_eq!(parse_path(text), Ok(steps), "{text}");
        }
        for (text, message) in [
            ("a..b", "syntax error: unexpected DOT, expecting FIELD"),
            ("", "syntax error: unexpected $end, expecting FIELD"),
            ("$.x", "unexpected char $"),
            ("a b", "unexpected char  "),
        ] {
            assert_eq!(parse_path(text).unwrap_err(), format!("cannot parse expression [{text}]: {message}"));
        }
        for text in ["a.*", "a[-1]", "a[", "[\"x", "[\"x\"y]", "1a", "a.", "a[x]", "a]"] {
            assert!(parse_path(text).is_err(), "{text}");
        }
    }
}
