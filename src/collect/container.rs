//! What Docker keeps beside a container's log: its name, its image and its labels, read from
//! `config.v2.json` without asking the daemon, whose socket would be the key to the whole host.

use std::{fs::File, io::Read, path::Path};

use super::{meta::Meta, stage::JsonPath};
use crate::logql::{JsonValue, append_unescaped};

/// The file beside a log.
const FILE: &str = "config.v2.json";
/// A larger file is none of Docker's.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Which labels a container's streams get.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Facts of every container.
    pub facts: Vec<Fact>,
    /// Label, and the container's label that it is taken from.
    pub labels: Vec<(String, String)>,
}

/// What is known about every container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `container`: its name.
    Container,
    /// `compose_project`: the project of docker compose.
    ComposeProject,
    /// `compose_service`: the service in it.
    ComposeService,
    /// `image`: what it was made of.
    Image,
    /// `id`: its id.
    Id,
}

impl Fact {
    /// All facts.
    pub const ALL: [Self; 5] = [Self::Container, Self::ComposeProject, Self::ComposeService, Self::Image, Self::Id];

    /// The label's name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::ComposeProject => "compose_project",
            Self::ComposeService => "compose_service",
            Self::Image => "image",
            Self::Id => "id",
        }
    }

    /// Where it stands. The name is that of the outermost object: inner ones belong to swarm.
    fn place(self) -> &'static str {
        match self {
            Self::Container => "Name",
            Self::ComposeProject => r#"Config.Labels."com.docker.compose.project""#,
            Self::ComposeService => r#"Config.Labels."com.docker.compose.service""#,
            Self::Image => "Config.Image",
            Self::Id => "ID",
        }
    }
}

/// When the file beside a log was last changed, in nanoseconds since 1970; 0 if there is none.
pub(super) fn changed_ns(log: &Path) -> i64 {
    Meta::of(&log.with_file_name(FILE)).map_or(0, |meta| meta.modified_ns)
}

/// The labels of the container whose log this is. What cannot be read gives none.
pub(super) fn labels(log: &Path, container: &Container) -> Vec<(String, String)> {
    let mut text = String::new();
    let file = File::open(log.with_file_name(FILE));
    if file.is_ok_and(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text).is_err()) {
        return Vec::new();
    }
    let facts = container.facts.iter().map(|fact| (fact.label().to_owned(), fact.place().to_owned()));
    let own = container.labels.iter().map(|(label, name)| (label.clone(), format!("Config.Labels.\"{name}\"")));
    let mut found = Vec::new();
    for (label, place) in facts.chain(own) {
        let value = JsonPath::parse(&place).ok().and_then(|path| path.find(&text).and_then(string));
        if let Some(value) = value {
            found.push((label, value.trim_start_matches('/').to_owned()));
        }
    }
    found
}

fn string(value: JsonValue<'_>) -> Option<String> {
    let JsonValue::String(raw) = value else { return None };
    let mut text = String::new();
    append_unescaped(raw, &mut text)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::scratch::Scratch;

    #[test]
    fn the_outermost_name_counts() {
        let scratch = Scratch::new();
        let log = scratch.path("abc-json.log");
        let all = Container { facts: Fact::ALL.to_vec(), labels: vec![("team".into(), "org.team".into())] };
        assert_eq!(labels(&log, &all), []);
        std::fs::write(
            scratch.path(FILE),
            r#"{"StreamConfig":{},"ID":"abc","NetworkSettings":{"Name":"x"},
               "Config":{"Image":"nginx:1","Labels":{"com.docker.compose.project":"shop",
               "com.docker.compose.service":"web","org.team":"edge"}},"Name":"/shop-web-1","Driver":"overlay2"}"#,
        )
        .unwrap();
        let expected = [
            ("container", "shop-web-1"),
            ("compose_project", "shop"),
            ("compose_service", "web"),
            ("image", "nginx:1"),
            ("id", "abc"),
            ("team", "edge"),
        ];
        assert_eq!(labels(&log, &all), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
