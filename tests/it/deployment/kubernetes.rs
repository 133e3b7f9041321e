//! Tests k8s/.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use botfleet::config::manifest::Manifest;
use botfleet::config::secret::GivenSecrets;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::files::{Variables, list, repository, settings, table, text};
use super::fleet::MEMORY;

/// The deployments.
pub(super) const DEPLOYMENTS: [&str; 2] = ["botfleet-worker", "botfleet-api"];

/// The values of the secrets of secret.md.
pub(super) fn secrets() -> Variables {
    let values = [
        ("botfleet-database/url", "postgres://botfleet:a-secret@database:5432/botfleet"),
        ("botfleet-redis/url", "redis://:a-secret@redis:6379"),
    ];
    values.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Returns every object of the folder, with the file in which it stands.
pub(super) fn objects() -> Vec<(String, Value)> {
    let mut objects = Vec::new();
    for file in files() {
        for document in serde_yaml::Deserializer::from_str(&text(&format!("k8s/{file}"))) {
            objects.push((file.clone(), Value::deserialize(document).unwrap()));
        }
    }
    objects
}

/// Returns one object.
pub(super) fn object(kind: &str, name: &str) -> Value {
    let mut all = objects().into_iter().map(|(_, object)| object);
    all.find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn files() -> BTreeSet<String> {
    let paths = fs::read_dir(repository().join("k8s")).unwrap().map(|entry| entry.unwrap().path());
    let objects = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let names = objects.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    names.filter(|name| name != "kustomization.yaml").collect()
}

/// Returns the variables that a container's process sees; `secrets` by `name/key`.
pub(super) fn environment(container: &Value, secrets: &Variables) -> Variables {
    let mut all = Variables::new();
    for source in container["envFrom"].as_array().into_iter().flatten() {
        if let Some(name) = source["configMapRef"]["name"].as_str() {
            all.extend(table(&object("ConfigMap", name)["data"]));
        } else {
            let prefix = format!("{}/", source["secretRef"]["name"].as_str().expect("a source of variables"));
            let of_it = secrets.iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)));
            all.extend(of_it.map(|(name, value)| (name.to_owned(), value.clone())));
        }
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        let from = &variable["valueFrom"];
        let value = match (variable["value"].as_str(), from["fieldRef"]["fieldPath"].as_str()) {
            (Some(value), _) => value.to_owned(),
            (None, Some("metadata.name")) => "botfleet-pod-1".to_owned(),
            (None, Some(other)) => panic!("no claim about {other}"),
            (None, None) => {
                let from = &from["secretKeyRef"];
                let name = format!("{}/{}", from["name"].as_str().unwrap(), from["key"].as_str().unwrap());
                secrets.get(&name).unwrap_or_else(|| panic!("nobody makes the secret {name}")).clone()
            }
        };
        all.insert(variable["name"].as_str().unwrap().to_owned(), value);
    }
    all
}

/// Returns the arguments of a container, with `$(NAME)` filled in as the kubelet does.
pub(super) fn arguments(container: &Value, variables: &Variables) -> Vec<String> {
    let fill =
        |word: String| variables.iter().fold(word, |word, (name, value)| word.replace(&format!("$({name})"), value));
    list(&container["args"]).into_iter().map(fill).collect()
}

/// Returns the containers of a deployment, those of its start first.
pub(super) fn containers(deployment: &str) -> Vec<Value> {
    let pod = &object("Deployment", deployment)["spec"]["template"]["spec"];
    let all = [&pod["initContainers"], &pod["containers"]];
    all.into_iter().flat_map(|containers| containers.as_array().cloned().unwrap_or_default()).collect()
}

/// Fails where a type does not know everything that is written: an unknown part is lost on the way through the type.
fn strictly<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(typed).unwrap();
    lost(object, &known, "").map_or(Ok(()), |path| Err(format!("{path} is unknown")))
}

fn lost(written: &Value, known: &Value, path: &str) -> Option<String> {
    match (written, known) {
        (Value::Object(written), Value::Object(known)) => written.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            known.get(key).map_or_else(|| Some(path.clone()), |known| lost(value, known, &path))
        }),
        (Value::Array(written), Value::Array(known)) if written.len() == known.len() => {
            written.iter().zip(known).enumerate().find_map(|(at, (w, k))| lost(w, k, &format!("{path}[{at}]")))
        }
        (written, known) => (written != known).then(|| path.to_owned()),
    }
}

fn sound(object: &Value) -> Result<(), String> {
    match (object["apiVersion"].as_str(), object["kind"].as_str()) {
        (Some("v1"), Some("Namespace")) => strictly::<Namespace>(object),
        (Some("v1"), Some("ConfigMap")) => strictly::<ConfigMap>(object),
        (Some("v1"), Some("Service")) => strictly::<Service>(object),
        (Some("apps/v1"), Some("Deployment")) => strictly::<Deployment>(object),
        (Some("policy/v1"), Some("PodDisruptionBudget")) => strictly::<PodDisruptionBudget>(object),
        other => Err(format!("no claim about {other:?}")),
    }
}

#[test]
fn every_object_is_sound_by_the_types_of_kubernetes() {
    for (file, object) in objects() {
        sound(&object).unwrap_or_else(|wrong| panic!("{file}: {wrong}"));
        if object["kind"] != "Namespace" {
            assert_eq!(object["metadata"]["namespace"], "botfleet", "{file}");
        }
        assert_ne!(object["kind"], "Secret", "{file}: secrets are referred to, never written");
    }
}

#[test]
fn a_wrong_word_in_an_object_would_be_noticed() {
    let wrongs: [fn(&mut Value); 4] = [
        |object| object["spec"]["replica"] = json!(3),
        |object| object["spec"]["replicas"] = json!("three"),
        |object| object["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["failureTreshold"] = json!(3),
        |object| object["spec"]["template"]["spec"]["securityContext"]["runAsNonRot"] = json!(true),
    ];
    for wrong in wrongs {
        let mut object = object("Deployment", "botfleet-worker");
        wrong(&mut object);
        assert!(sound(&object).is_err(), "{object}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "the names alone are judged")]
struct Kustomization {
    api_version: String,
    kind: String,
    namespace: String,
    resources: BTreeSet<String>,
    config_map_generator: Vec<Generated>,
    images: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Generated {
    name: String,
    files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "the names alone are judged")]
struct Image {
    name: String,
    new_name: String,
    new_tag: String,
}

#[test]
fn the_kustomization_takes_every_file_and_makes_the_manifest() {
    let all: Kustomization = serde_yaml::from_str(&text("k8s/kustomization.yaml")).unwrap();
    assert_eq!(all.resources, files());
    assert_eq!(all.config_map_generator[0].name, "botfleet-fleet");
    assert_eq!(all.config_map_generator[0].files, ["fleet.toml"]);
    assert_eq!(all.images[0].new_tag, env!("CARGO_PKG_VERSION"), "the version of this repository");
    for deployment in DEPLOYMENTS {
        let volumes = object("Deployment", deployment)["spec"]["template"]["spec"]["volumes"].clone();
        assert_eq!(volumes[0]["configMap"]["name"], "botfleet-fleet");
        for container in containers(deployment) {
            assert_eq!(container["image"], format!("{}:{}", all.images[0].name, all.images[0].new_tag));
        }
    }
}

#[test]
fn what_selects_pods_selects_those_it_means() {
    let labels = |name: &str| object("Deployment", name)["spec"]["template"]["metadata"]["labels"].clone();
    for deployment in DEPLOYMENTS {
        let whole = object("Deployment", deployment);
        assert_eq!(whole["spec"]["selector"]["matchLabels"], labels(deployment));
        let budget = object("PodDisruptionBudget", deployment);
        assert_eq!(budget["spec"]["selector"]["matchLabels"], labels(deployment));
        assert_eq!(budget["spec"]["maxUnavailable"], 1);
        let spread = &whole["spec"]["template"]["spec"]["topologySpreadConstraints"];
        for constraint in spread.as_array().into_iter().flatten() {
            assert_eq!(constraint["labelSelector"]["matchLabels"], labels(deployment));
        }
    }
    let service = object("Service", "botfleet-webhooks");
    assert_eq!(service["spec"]["selector"], labels("botfleet-api"));
    let target = service["spec"]["ports"][0]["targetPort"].clone();
    let named = &containers("botfleet-api")[1]["ports"][0];
    assert_eq!(named["name"], target);
    let listen = object("ConfigMap", "botfleet-settings")["data"]["BOTFLEET__WEBHOOKS__LISTEN"].clone();
    assert_eq!(listen, format!("0.0.0.0:{}", named["containerPort"]), "the receiver, and nothing but it");
}

#[test]
fn pods_run_with_the_least_that_the_restricted_standard_asks_for() {
    for deployment in DEPLOYMENTS {
        let pod = object("Deployment", deployment)["spec"]["template"]["spec"].clone();
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 10001, "the user of the image");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for container in containers(deployment) {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
            assert!(container["resources"]["limits"]["memory"].is_string());
            assert!(container["resources"]["limits"]["cpu"].is_null(), "throttling is a freeze");
        }
    }
}

#[test]
fn a_pod_gets_the_time_to_give_its_bots_away() {
    for deployment in DEPLOYMENTS {
        let whole = object("Deployment", deployment);
        let node = &containers(deployment)[1];
        let settings = settings(&environment(node, &secrets()));
        let longest = settings.server.drain_for(true) + settings.fleet.stop_deadline + Duration::from_secs(15);
        let grace = whole["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(Duration::from_secs(grace) >= longest, "{deployment} is killed while it drains");
        let update = &whole["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(*update, json!({ "maxSurge": 1, "maxUnavailable": 0 }), "never fewer than before");
        for (probe, flag) in [("startupProbe", "--live"), ("readinessProbe", "--ready"), ("livenessProbe", "--live")] {
            assert_eq!(list(&node[probe]["exec"]["command"]), ["/usr/local/bin/botfleet", "health", flag], "{probe}");
        }
    }
    let hook = list(&containers("botfleet-worker")[1]["lifecycle"]["preStop"]["exec"]["command"]);
    assert_eq!(hook[2], "exec botfleet cluster drain \"$POD_NAME\"");
}

#[test]
fn probes_and_commands_in_a_pod_find_its_local_socket_in_memory() {
    for deployment in DEPLOYMENTS {
        let pod = object("Deployment", deployment)["spec"]["template"]["spec"].clone();
        let memory = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["emptyDir"]["medium"] == "Memory");
        let name = &memory.expect("a volume in memory")["name"];
        let node = &containers(deployment)[1];
        let mount = node["volumeMounts"].as_array().unwrap().iter().find(|mount| mount["name"] == *name);
        assert_eq!(mount.expect("it is mounted")["mountPath"], MEMORY);
        let socket = settings(&environment(node, &secrets())).local_socket().unwrap();
        assert_eq!(socket.parent(), Some(Path::new(MEMORY)), "{deployment}");
    }
}

#[test]
fn every_variable_of_a_pod_is_a_sound_setting() {
    for deployment in DEPLOYMENTS {
        for container in containers(deployment) {
            let variables = environment(&container, &secrets());
            assert!(settings(&variables).many_nodes());
            let read = |name: &str| {
                name.starts_with("BOTFLEET__")
                    || text("config/production.toml").contains(&format!("\"env:{name}\""))
                    || list(&container["args"]).contains(&format!("$({name})"))
            };
            for name in variables.keys() {
                assert!(read(name), "{deployment}: nothing reads {name}");
            }
        }
    }
}

#[test]
fn the_manifest_is_sound_and_its_secrets_are_told_of() {
    let manifest = text("k8s/fleet.toml");
    let names = manifest.split("\"env:").skip(1).filter_map(|rest| rest.split('"').next());
    let token = "7100000001:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";
    let given = names.map(|name| (name.to_owned(), if name.contains("TOKEN") { token } else { "sk-x" }.to_owned()));
    let loaded = Manifest::load(&repository().join("k8s/fleet.toml"), &GivenSecrets(given.collect())).unwrap();
    assert_eq!(loaded.warnings, []);
    let told = text("k8s/secret.md");
    for object in objects().iter().map(|(_, object)| object.to_string()) {
        for reference in ["\"secretRef\":{\"name\":\"", "\"secretKeyRef\":{\"key\":\"url\",\"name\":\""] {
            for name in object.split(reference).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(told.contains(&format!("create secret generic {name} ")), "{name}");
            }
        }
    }
}
