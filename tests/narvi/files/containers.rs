//! The logs of containers: Docker's files with the names beside them, and those of Kubernetes' runtimes.

use std::fs;

use serde_json::json;

use super::Logs;
use crate::support::{Directory, Narvi, Signal, configure, eventually};

/// A directory as Docker keeps it for a container.
fn docker(directory: &Directory, id: &str, name: &str, log: &str) {
    let place = directory.join("containers").join(id);
    fs::create_dir_all(&place).unwrap();
    let labels = json!({"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "team": "edge"});
    let config = json!({"ID": id, "Name": format!("/{name}"), "Config": {"Image": "nginx:1", "Labels": labels}});
    fs::write(place.join("config.v2.json"), config.to_string()).unwrap();
    fs::write(place.join(format!("{id}-json.log")), log).unwrap();
}

fn record(stream: &str, second: u32, log: &str) -> String {
    format!("{}\n", json!({"log": log, "stream": stream, "time": format!("2026-11-22T10:00:{second:02}.5Z")}))
}

#[test]
fn docker_containers_have_their_names() {
    let directory = Directory::new();
    // Docker cuts long lines; the parts of both outputs stand between each other.
    let log = [
        record("stdout", 1, "one\n"),
        record("stdout", 2, "part 1, "),
        record("stderr", 3, "err 1, "),
        record("stdout", 4, "part 2, "),
        record("stderr", 5, "err 2\r\n"),
        record("stdout", 6, "part 3\n"),
        "no json\n".to_owned(),
    ];
    docker(&directory, "abc", "shop-web-1", &log.concat());
    docker(&directory, "def", "noise", &record("stdout", 1, "never\n"));
    let config = format!(
        "store.retention = '0'\n[[scrape_configs]]\njob_name = 'docker'\n\
         docker = {{ path = '{}', labels = ['container', 'compose_service'], container_labels = {{ team = 'team' }} }}\n\
         relabel_configs = [{{ source_labels = ['container'], regex = 'noise', action = 'drop' }},\n\
         {{ regex = 'filename', action = 'labeldrop' }}]\n",
        directory.join("containers").display()
    );
    let narvi = Narvi::start_with(&directory, &config);
    assert_eq!(narvi.lines_once("{job=\"docker\", stream=\"stdout\"}", 2), ["one", "part 1, part 2, part 3"]);
    let stderr = narvi.entries("{container=\"shop-web-1\", compose_service=\"web\", team=\"edge\", stream=\"stderr\"}");
    // The time of a joined line is that of its first part.
    assert_eq!((stderr[0].line.as_str(), stderr[0].timestamp_ns), ("err 1, err 2", 1_795_341_603_500_000_000));
    assert_eq!(narvi.lines_once("{job=\"docker\", stream=\"\"}", 1), ["no json"]);
    assert_eq!(narvi.lines("{job=\"docker\"} |= \"never\""), [""; 0]);
    assert_eq!(narvi.lines("{filename=~\".+\"}"), [""; 0]);

    // A container that is renamed goes on under its new name.
    docker(&directory, "abc", "shop-web-2", &(log.concat() + &record("stdout", 8, "renamed\n")));
    narvi.signal(Signal::HUP);
    eventually("the new name", || (narvi.lines("{container=\"shop-web-2\"}") == ["renamed"]).then_some(()));
    narvi.stop();
}

const PODS: &str = "format = 'cri'\npath_labels = '/.*/log/pods/(?P<namespace>[^_/]+)_(?P<pod>[^_/]+)_[^/]+/\
                    (?P<container>[^/]+)/'\npipeline_stages = [{ labeldrop = ['filename'] }]\n\
                    relabel_configs = [{ source_labels = ['namespace'], regex = 'kube-system', action = 'drop' }]\n";

/// Parts of a line stay together over a rotation and over a crash, and are stored once.
#[test]
fn parts_of_lines_are_joined_across_rotation_and_crash() {
    let mut logs = Logs::new();
    let pod = logs.path("pods/shop_web-7d4b9c_11111111-2222-3333-4444-555555555555/nginx");
    let system = logs.path("pods/kube-system_dns_1/dns");
    fs::create_dir_all(&pod).unwrap();
    fs::create_dir_all(&system).unwrap();
    let log = pod.join("0.log");
    let time = |second: u32| format!("2026-11-22T10:00:{second:02}.123456789Z");
    logs.config = format!(
        "store.retention = '0'\n[[scrape_configs]]\njob_name = 'pods'\npaths = ['{}']\n{PODS}",
        logs.path("pods/*/*/*.log").display()
    );
    let append = |text: String| {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    fs::write(system.join("0.log"), format!("{} stdout F not wanted\n", time(0))).unwrap();
    append(format!("{} stdout F whole\n{} stdout P one, \n{} stderr F meanwhile\n", time(1), time(2), time(3)));
    logs.up();
    let all = "{namespace=\"shop\", pod=\"web-7d4b9c\", container=\"nginx\"}";
    logs.narvi().lines_once(all, 2);

    // kubelet renames the file and tells the runtime to begin another.
    fs::rename(&log, pod.join("0.log.20261122-100003")).unwrap();
    append(format!("{} stdout P two, \n{} stderr F rotated\n", time(4), time(5)));
    logs.narvi().lines_once(all, 3);
    logs.narvi.take().unwrap().kill();

    append(format!("{} stdout F:x three\n{} stdout F last\n", time(6), time(7)));
    logs.up();
    logs.narvi().lines_once(all, 5);
    let entries = logs.narvi().entries("{job=\"pods\", stream=\"stdout\"}");
    let lines: Vec<_> = entries.iter().map(|entry| entry.line.as_str()).collect();
    assert_eq!(lines, ["whole", "one, two, three", "last"]);
    assert_eq!(entries[1].timestamp_ns, 1_795_341_602_123_456_789);
    assert_eq!(logs.narvi().lines("{job=\"pods\", stream=\"stderr\"}"), ["meanwhile", "rotated"]);
    assert_eq!(logs.narvi().lines("{job=\"pods\", namespace=\"kube-system\"}"), [""; 0]);
    logs.down();
}

/// The two directories of Kubernetes: links in one lead to the files of the other.
#[test]
fn links_to_pods_are_followed_and_labelled() {
    let mut logs = Logs::new();
    let id = "0123456789abcdef".repeat(4);
    let pod = logs.path("pods/shop_web_1/nginx");
    fs::create_dir_all(&pod).unwrap();
    fs::create_dir_all(logs.path("containers")).unwrap();
    fs::write(pod.join("0.log"), "2026-11-22T10:00:00Z stdout F first run\n").unwrap();
    let link = logs.path(&format!("containers/web_shop_nginx-{id}.log"));
    std::os::unix::fs::symlink(pod.join("0.log"), &link).unwrap();
    logs.config = format!(
        "store.retention = '0'\n[[scrape_configs]]\njob_name = 'containers'\npaths = ['{}']\nformat = 'auto'\n\
         path_labels = '/.*/containers/(?P<pod>[^_/]+)_(?P<namespace>[^_/]+)_(?P<container>.+)-[0-9a-f]{{64}}\\.log'\n",
        logs.path("containers/*.log").display()
    );
    logs.up();
    let all = "{pod=\"web\", namespace=\"shop\", container=\"nginx\", stream=\"stdout\"}";
    assert_eq!(logs.narvi().lines_once(all, 1), ["first run"]);
    // A restart of the container points the link to another file.
    fs::write(pod.join("1.log"), "2026-11-22T10:00:01Z stdout F second run\n").unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(pod.join("1.log"), &link).unwrap();
    assert_eq!(logs.narvi().lines_once(all, 2), ["first run", "second run"]);
    logs.down();
}

/// Blocks of lines too: what is half read when it crashes is whole afterwards, and other stages see it anew.
#[test]
fn blocks_survive_crash_rotation_and_reload() {
    let stages = |wait: &str, mark: &str| {
        format!(
            "pipeline_stages = [{{ multiline = {{ firstline = '^\\d', max_wait_time = '{wait}' }} }},\n\
             {{ replace = {{ expression = '(\\n)', replace = '{mark}' }} }}]"
        )
    };
    let mut logs = Logs::with("", &stages("1h", "|"));
    logs.write("app.log", "1 a\n  b\n2 a\n");
    logs.up();
    assert_eq!(logs.lines("app.log", 1), ["1 a|  b"]);
    logs.write("app.log", "  b\n");
    logs.narvi.take().unwrap().kill();
    logs.write("app.log", "  c\n");
    logs.up();
    logs.write("app.log", "3 a\n");
    assert_eq!(logs.lines("app.log", 2), ["1 a|  b", "2 a|  b|  c"]);

    logs.rename("app.log", "app.log.1");
    logs.write("app.log", "  b\n4 a\n");
    assert_eq!(logs.lines("app.log", 3)[2], "3 a|  b");

    let config = logs.config.replace(&stages("1h", "|"), &stages("50ms", "+"));
    configure(&logs.directory, &config);
    logs.write("app.log", "  b\n");
    logs.narvi().signal(Signal::HUP);
    assert_eq!(logs.lines("app.log", 4)[3], "4 a+  b");
    logs.down();
}
