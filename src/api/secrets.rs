//! Secrets that were given, and the keys that seal them. Layer `api`. Keeps I12.

use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::bots::BotNamed;
use super::route::{Body, Need, route};
use super::secret::Secret;
use super::session::{DONE, Done};
use crate::operate::failure::{Code, Failure};
use crate::operate::permission::{ChangeSecrets, ReadSecrets};
use crate::runtime::secrets::view::{GivenView, LostView, RotationView, SecretsView};

/// The token of a bot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TokenBody {
    /// The token, as @BotFather gave it.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = Password, max_length = 256))]
    pub token: Secret,
}

impl Body for TokenBody {
    const NEED: Need = Need::Required;
}

/// The key of a provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProviderKeyBody {
    /// The key.
    #[cfg_attr(
        feature = "schema",
        schema(value_type = String, format = Password, min_length = 1, max_length = 4096, pattern = "^[\\x21-\\x7e]+$")
    )]
    pub key: Secret,
}

impl Body for ProviderKeyBody {
    const NEED: Need = Need::Required;
}

/// The provider of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct ProviderNamed {
    /// Name in the manifest.
    pub name: String,
}

/// The key of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct SealingKeyOf {
    /// The id, as the list of secrets shows it.
    pub id: String,
}

/// An order to give up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ResetBody {
    /// Set to give up what no living node can open.
    pub lost: bool,
}

impl Body for ResetBody {
    const NEED: Need = Need::Required;
}

route! {
    /// GET /api/v1/secrets.
    List = "list_secrets": Get "/api/v1/secrets", "Lists the secrets that were given, and the keys that seal them.",
        "No secret is ever shown again.";
    takes ReadSecrets;
    example "/api/v1/secrets" => r#"{"keys":[{"id":"6f1e2d3c4b5a6978","seals":true,"held":true,"nodes":["embedded"],"secrets":1,"made_at":1790000000000}],"secrets":[{"kind":"bot_token","name":"Ada","state":"open","key":"6f1e2d3c4b5a6978","version":1,"set_at":1790000000000,"set_by":"ada"}]}"#;
    answers Json<SecretsView>: |operations, by, _call| {
        operations.secrets(&by).await.map(Json)
    }
}

route! {
    /// PUT /api/v1/bots/{name}/token.
    SetToken = "set_bot_token": Put "/api/v1/bots/{name}/token", "Gives a bot another token.",
        "The token is stored sealed, and goes before the place that the manifest names. The live bot uses it within a second.";
    takes ChangeSecrets;
    path BotNamed;
    body TokenBody;
    problems UnknownName CannotSeal;
    example "/api/v1/bots/Ada/token" with r#"{"token":"123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"}"#
        => r#"{"name":"Ada","ends":"…K-bc","key":"6f1e2d3c4b5a6978","version":1}"#;
    answers Json<GivenView>: |operations, by, call| {
        operations.set_token(&by, &call.path.name, call.body.token.0).await.map(Json)
    }
}

route! {
    /// DELETE /api/v1/bots/{name}/token.
    RemoveToken = "remove_bot_token": Delete "/api/v1/bots/{name}/token", "Removes the token that was given to a bot.",
        "The token at the place that the manifest names counts again.";
    takes ChangeSecrets;
    path BotNamed;
    problems UnknownName UnknownSecret;
    example "/api/v1/bots/Ada/token" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.remove_token(&by, &call.path.name).await?;
        Ok(Json(DONE))
    }
}

route! {
    /// PUT /api/v1/providers/{name}/key.
    SetProviderKey = "set_provider_key": Put "/api/v1/providers/{name}/key", "Gives a provider another key.",
        "The key is stored sealed, bound to the address of the provider, and stands in place of the first one of the manifest. Calls that begin within a second of the answer use it.";
    takes ChangeSecrets;
    path ProviderNamed;
    body ProviderKeyBody;
    problems UnknownName CannotSeal;
    example "/api/v1/providers/main/key" with r#"{"key":"sk-0123456789abcdef0123"}"#
        => r#"{"name":"main","ends":"…0123","key":"6f1e2d3c4b5a6978","version":1}"#;
    answers Json<GivenView>: |operations, by, call| {
        operations.set_provider_key(&by, &call.path.name, call.body.key.0).await.map(Json)
    }
}

route! {
    /// DELETE /api/v1/providers/{name}/key.
    RemoveProviderKey = "remove_provider_key": Delete "/api/v1/providers/{name}/key",
        "Removes the key that was given to a provider.", "The key at the place that the manifest names counts again.";
    takes ChangeSecrets;
    path ProviderNamed;
    problems UnknownName UnknownSecret;
    example "/api/v1/providers/main/key" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.remove_provider_key(&by, &call.path.name).await?;
        Ok(Json(DONE))
    }
}

route! {
    /// POST /api/v1/secrets/rotate.
    Rotate = "rotate_secrets": Post "/api/v1/secrets/rotate", "Seals all secrets by the newest key.",
        "An embedded fleet makes that key; other nodes read the first of `secrets.keys` again. Nothing under way is disturbed.";
    takes ChangeSecrets;
    problems CannotSeal;
    example "/api/v1/secrets/rotate" => r#"{"key":"0a1b2c3d4e5f6071","sealed":12,"left":0}"#;
    answers Json<RotationView>: |operations, by, _call| {
        operations.rotate_secrets(&by).await.map(Json)
    }
}

route! {
    /// POST /api/v1/secrets/keys/{id}/retire.
    Retire = "retire_secret_key": Post "/api/v1/secrets/keys/{id}/retire", "Retires a key that sealed secrets.",
        "Refused while a secret, a seed or a living node needs it. A backup from before the rotation needs it too: keep a copy as long.";
    takes ChangeSecrets;
    path SealingKeyOf;
    problems UnknownSecretKey KeyInUse;
    example "/api/v1/secrets/keys/6f1e2d3c4b5a6978/retire" => r#"{"done":true}"#;
    answers Json<Done>: |operations, by, call| {
        operations.retire_secret_key(&by, &call.path.id).await?;
        Ok(Json(DONE))
    }
}

route! {
    /// POST /api/v1/secrets/reset.
    Reset = "reset_secrets": Post "/api/v1/secrets/reset", "Gives up the secrets whose key was lost, and lists them.",
        "Second factors that no key opens are taken away. What is listed must be entered again.";
    takes ChangeSecrets;
    body ResetBody;
    example "/api/v1/secrets/reset" with r#"{"lost":true}"# => r#"{"bots":["Ada"],"providers":[],"users":[]}"#;
    answers Json<LostView>: |operations, by, call| {
        if !call.body.lost {
            return Err(Failure::new(Code::BadRequest, "lost: send true, to give up what no living node can open"));
        }
        operations.reset_lost_secrets(&by).await.map(Json)
    }
}
