//! The users, `[[server.users]]`: their names, where their passwords are, what they may do.

use std::{collections::HashMap, fs::File, io::Read, ops::Range, path::Path};

use super::{
    keys::{Key, Kind},
    report::{Problem, line_number},
    section::{Section, Text},
};
use crate::server::access::{Right, Rights, Secret, User};

pub(super) const KEYS: &[Key] = &[
    Key::shown("name", Kind::Text, r#""grafana""#, "required and unique; for HTTP basic"),
    Key::shown("password_hash", Kind::Text, r#""$2b$10$...""#, "what `narvi hash-password` or `htpasswd -nB` prints"),
    Key::shown(
        "password_file",
        Kind::Text,
        r#""/etc/narvi/grafana""#,
        "instead of password_hash: the password, a line",
    ),
    Key::shown("rights", Kind::Texts, r#"["read"]"#, "required: read, write, or admin, which is all of them"),
];

/// More users are a directory service's work; a wrong bearer token is compared with each.
const USERS_MAX: usize = 100;
/// Bytes of a file with a password.
const FILE_BYTES_MAX: u64 = 1024;

/// Reads the users of `[server]`, in order of the file.
pub(super) fn read(server: &Section<'_>) -> Vec<User> {
    let document = server.document;
    let mut first_uses: HashMap<String, Range<usize>> = HashMap::new();
    let mut users = Vec::new();
    for (at, (span, table)) in server.tables("users").into_iter().enumerate() {
        if at == USERS_MAX {
            document.report(Problem::error(span, format!("there are more than {USERS_MAX} users")));
            break;
        }
        let section = Section::new(document, "in [[server.users]]", KEYS, Some(table));
        let name = read_name(&section, &span);
        if let Some(name) = &name
            && let Some(first) = first_uses.insert(name.value.clone(), name.span.clone())
        {
            let line = line_number(document.source, first.start);
            let what = format!("user name `{}` is used twice, first at line {line}", name.value);
            document.report(Problem::error(name.span.clone(), what));
        }
        let secret = read_secret(&section, &span);
        let rights = read_rights(&section, &span);
        if let (Some(name), Some(secret), Some(rights)) = (name, secret, rights) {
            users.push(User { name: name.value, secret, rights });
        }
    }
    users
}

fn read_name(section: &Section<'_>, span: &Range<usize>) -> Option<Text> {
    if section.value("name").is_none() {
        section.document.report(Problem::error(span.clone(), "this user has no `name`"));
    }
    section.parsed("name", |text| {
        let problem = |what: &str| Err(Problem::error(text.span.clone(), what));
        match text.value.as_str() {
            "" => problem("the user's name is empty"),
            name if name.contains(':') || name.chars().any(char::is_control) => {
                problem("a user's name has neither colons nor control characters (RFC 7617)")
            }
            _ => Ok(text.clone()),
        }
    })
}

/// The password's hash, or the password from its file.
fn read_secret(section: &Section<'_>, span: &Range<usize>) -> Option<Secret> {
    if let Some(span) = section.span("password_hash") {
        section.document.hide(span);
    }
    if section.says("password_hash") == section.says("password_file") {
        let problem = Problem::error(span.clone(), "a user has either a `password_hash` or a `password_file`");
        section.document.report(problem.hint("`narvi hash-password` reads a password and prints its hash"));
        return None;
    }
    let hash = section.parsed("password_hash", |text| {
        Secret::hashed(text.value.clone()).map_err(|error| {
            Problem::error(text.span.clone(), error.to_string())
                .hint("`narvi hash-password` reads a password and prints its hash")
        })
    });
    let plain = section.parsed("password_file", |text| {
        password_of(Path::new(&text.value)).map_err(|what| Problem::error(text.span.clone(), what))
    });
    hash.or(plain)
}

/// The first line of a file, which must be its only one.
fn password_of(file: &Path) -> Result<Secret, String> {
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot read the password in {}: {error}", file.display()))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() || password.contains('\n') || text.len() as u64 > FILE_BYTES_MAX {
        let name = file.display();
        return Err(format!("{name} must hold the password in one line of at most {FILE_BYTES_MAX} bytes"));
    }
    Ok(Secret::of_text(password))
}

fn read_rights(section: &Section<'_>, span: &Range<usize>) -> Option<Rights> {
    let quoted: Vec<_> = Right::WORDS.iter().map(|word| format!("\"{word}\"")).collect();
    let choices = format!("write one or more of {}", quoted.join(", "));
    if !section.says("rights") {
        section.document.report(Problem::error(span.clone(), "this user has no `rights`").hint(choices));
        return None;
    }
    let words = section.texts("rights");
    for word in words.iter().filter(|word| !Right::WORDS.contains(&&*word.value)) {
        let problem = Problem::error(word.span.clone(), format!("`{}` is no right", word.value));
        section.document.report(problem.hint(choices.clone()));
    }
    Rights::of_words(words.iter().map(|word| &*word.value))
}
