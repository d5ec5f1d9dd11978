//! `model.safetensors` and its shards.

use serde_json::{Value, json};

use super::{Sandbox, WEIGHTS, fixture, refused, refused_for_tagging};

const INDEX: &str = "tiny/model.safetensors.index.json";

#[test]
fn no_weights() {
    refused(&[
        (
            "missing",
            |s| s.remove(WEIGHTS),
            "tiny: no model.safetensors here; fetch the whole model",
        ),
        (
            "pytorch_model.bin",
            |s| s.rename(WEIGHTS, "tiny/pytorch_model.bin"),
            "tiny: no model.safetensors here, only pytorch_model.bin; convert it: vestnik model convert tiny -o NEW",
        ),
        (
            "a pickle with code",
            |s| {
                s.remove(WEIGHTS);
                s.write("tiny/pytorch_model.bin", fixture("torch/code.bin"));
            },
            "only pytorch_model.bin; convert it",
        ),
        (
            "TensorFlow",
            |s| s.rename(WEIGHTS, "tiny/tf_model.h5"),
            "only tf_model.h5, weights for TensorFlow",
        ),
        (
            "shards without an index",
            |s| s.rename(WEIGHTS, "tiny/model-00001-of-00002.safetensors"),
            "only model-00001-of-00002.safetensors; shards need their model.safetensors.index.json",
        ),
    ]);
}

#[test]
fn damaged_files() {
    refused(&[
        (
            "empty",
            |s| s.write(WEIGHTS, ""),
            "tiny/model.safetensors: the file is empty",
        ),
        (
            "a few bytes",
            |s| s.cut(WEIGHTS, 5),
            "the file is truncated: 5 bytes",
        ),
        (
            "truncated header",
            |s| s.cut(WEIGHTS, 1000),
            "the file is truncated: 1000 bytes, its header alone needs",
        ),
        (
            "truncated",
            |s| s.cut(WEIGHTS, 40_000),
            "the file is truncated: ",
        ),
        (
            "longer",
            |s| {
                let bytes = [s.read(WEIGHTS), vec![0; 3]].concat();
                s.write(WEIGHTS, bytes);
            },
            "bytes of tensors, its header describes",
        ),
        (
            "huge header",
            |s| s.write(WEIGHTS, [&[0xff; 8][..], b"{}"].concat()),
            "not a safetensors file: its header would be 18446744073709551615 bytes long",
        ),
        (
            "header without JSON",
            |s| s.write(WEIGHTS, b"\x08\0\0\0\0\0\0\0{\"a\": }  "),
            "the header of the safetensors file is broken",
        ),
        (
            "overlapping",
            |s| s.edit_header(|header| header["classifier.bias"]["data_offsets"] = json!([0, 20])),
            "the header of the safetensors file is broken: invalid offset for tensor",
        ),
        (
            "offsets beyond the file",
            |s| {
                s.write(WEIGHTS, b"\x40\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[9],\"data_offsets\":[0,36]}}          ");
            },
            "the file is truncated: 1 of 36 bytes of tensors",
        ),
        (
            "sizes that overflow",
            |s| {
                s.edit_header(|header| {
                    header["classifier.bias"]["shape"] = json!([1_u64 << 40, 1_u64 << 40]);
                });
            },
            "the header of the safetensors file is broken",
        ),
    ]);
}

#[test]
fn other_files_under_this_name() {
    refused(&[
        (
            "git-lfs",
            |s| {
                s.write(
                    WEIGHTS,
                    "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
                );
            },
            "tiny/model.safetensors: a git-lfs pointer, not the file itself; run `git lfs pull`",
        ),
        (
            "a web page",
            |s| s.write(WEIGHTS, "<!DOCTYPE html>\n<html>"),
            "a web page, not weights",
        ),
        (
            "PyTorch",
            |s| s.write(WEIGHTS, fixture("torch/tied.bin")),
            "a PyTorch file, not safetensors",
        ),
        (
            "a pickle",
            |s| s.write(WEIGHTS, fixture("torch/legacy.bin")),
            "a PyTorch file, not safetensors",
        ),
        (
            "a text",
            |s| s.write(WEIGHTS, "these are the weights"),
            "not a safetensors file",
        ),
    ]);
}

fn rename_tensor(header: &mut Value, name: &str) {
    let header = header.as_object_mut().unwrap();
    let tensor = header.shift_remove(name).unwrap();
    header.insert("other".to_owned(), tensor);
}

#[test]
fn wrong_tensors() {
    refused(&[
        (
            "shape",
            |s| s.edit_header(|header| header["classifier.weight"]["shape"] = json!([24, 5])),
            "tiny/model.safetensors: tensor classifier.weight has shape [24, 5], config.json demands [5, 24]",
        ),
        (
            "shape of the vocabulary",
            |s| s.configure("vocab_size", json!(61)),
            "embeddings.word_embeddings.weight has shape [60, 24], config.json demands [61, 24]",
        ),
        (
            "integers",
            |s| s.edit_header(|header| header["classifier.bias"]["dtype"] = json!("I32")),
            "tensor classifier.bias holds i32 numbers, expected f32, f16, bf16",
        ),
        (
            "an unknown number type",
            |s| s.edit_header(|header| header["classifier.bias"]["dtype"] = json!("Q4_K")),
            "the header of the safetensors file is broken",
        ),
        (
            "infinite numbers",
            |s| {
                let mut bytes = s.read(WEIGHTS);
                bytes.truncate(bytes.len() - 4);
                bytes.extend(f32::INFINITY.to_le_bytes());
                s.write(WEIGHTS, bytes);
            },
            "holds NaN or infinite numbers",
        ),
    ]);
    refused_for_tagging(&[
        (
            "a missing tensor",
            |s| s.edit_header(|header| rename_tensor(header, "classifier.weight")),
            "1 of the model's tensors are missing, the first: classifier.weight",
        ),
        (
            "missing layers",
            |s| s.configure("num_hidden_layers", json!(4)),
            "16 of the model's tensors are missing",
        ),
        (
            "a model without a head",
            |s| {
                s.write(WEIGHTS, fixture("bert_mlm/model.safetensors"));
                s.configure("num_hidden_layers", json!(3));
            },
            "of the model's tensors are missing, the first: classifier.",
        ),
    ]);
}

/// The weights under the name of a shard, with an index.
fn shard(sandbox: &Sandbox, index: &Value) {
    sandbox.rename(WEIGHTS, "tiny/a.safetensors");
    sandbox.write(INDEX, index.to_string());
}

#[test]
fn shards() {
    refused(&[
        (
            "missing",
            |s| {
                shard(
                    s,
                    &json!({"weight_map": {"classifier.bias": "b.safetensors"}}),
                );
            },
            "tiny/model.safetensors.index.json: shard b.safetensors is missing, one of 1",
        ),
        (
            "outside",
            |s| shard(s, &json!({"weight_map": {"a": "../news.jsonl"}})),
            "names the file \"../news.jsonl\", expected the plain name of a file beside the index",
        ),
        (
            "empty",
            |s| shard(s, &json!({"weight_map": {}})),
            "weight_map is empty",
        ),
        (
            "no map",
            |s| shard(s, &json!({"a": "a.safetensors"})),
            "not an index of shards: missing field",
        ),
        (
            "a promise",
            |s| shard(s, &json!({"weight_map": {"more": "a.safetensors"}})),
            "tensor more is not in a.safetensors, where the index says it is",
        ),
        (
            "two of the same",
            |s| {
                let bytes = s.read(WEIGHTS);
                s.write("tiny/b.safetensors", bytes);
                let map = json!({"classifier.bias": "a.safetensors", "classifier.weight": "b.safetensors"});
                shard(s, &json!({"weight_map": map}));
            },
            "is in two shards, a.safetensors and b.safetensors",
        ),
        (
            "truncated",
            |s| {
                s.cut(WEIGHTS, 60_000);
                shard(
                    s,
                    &json!({"weight_map": {"classifier.bias": "a.safetensors"}}),
                );
            },
            "tiny/a.safetensors: the file is truncated: ",
        ),
    ]);
}
