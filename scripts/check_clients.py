"""Clients that are not ours against `vestnik serve`: requests, the InferenceClient of huggingface_hub, tritonclient.

    pip install requests huggingface_hub 'tritonclient[http]'
    python scripts/check_clients.py target/release/vestnik

Starts the program with its built-in model on a free port, asks each client for the names of one text, or its topics, and
compares the answers with those of /v1/tag. Exit code 0: all agree.
"""

import re
import subprocess
import sys

import numpy
import requests
from huggingface_hub import InferenceClient
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
import json

TEXT = "🙂 Виталий Кличко встретился с Марией Петровой в Киеве. Ursula von der Leyen flew to Paris."


def start(program):
    command = [program, "serve", "--port", "0", "--device", "cpu"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if found := re.search(r"listening on (http://\S+)", line):
            return server, found.group(1)
    raise SystemExit("the program ended")


def places(entities, label):
    return [(entity["start"], entity["end"], entity[label]) for entity in entities]


def with_requests(address, expected, topics):
    found = requests.post(f"{address}/predict", json={"inputs": TEXT}, timeout=60).json()
    assert [topic["label"] for topic in found] == [topic["label"] for topic in topics], found
    assert all(abs(one["score"] - other["score"]) < 1e-3 for one, other in zip(found, topics))
    tokens = requests.post(f"{address}/tokenize", json={"inputs": TEXT}, timeout=60).json()[0]
    for token in tokens:
        assert token["special"] or TEXT[token["start"]:token["stop"]] == token["text"], token
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
    model = requests.get(f"{address}/info", timeout=60).json()["models"][0]["name"]
    found = requests.post(f"{address}/v2/models/{model}/infer", json={"inputs": [text]}, timeout=60).json()
    assert places(json.loads(found["outputs"][0]["data"][0])["entities"], "label") == expected
    return model


def with_hugging_face(address, expected):
    found = InferenceClient(model=address).token_classification(TEXT, aggregation_strategy="simple")
    assert [(entity.start, entity.end, entity.entity_group) for entity in found] == expected
    assert all(TEXT[entity.start:entity.end] == entity.word for entity in found)


def with_triton(address, model, expected):
    client = InferenceServerClient(address.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
    assert client.get_model_metadata(model)["inputs"][0]["name"] == "text"
    text = InferInput("text", [1], "BYTES")
    text.set_data_from_numpy(numpy.array([TEXT.encode()], dtype=object), binary_data=False)
    output = InferRequestedOutput("record", binary_data=False)
    found = client.infer(model, [text], outputs=[output]).as_numpy("record")
    assert places(json.loads(found[0])["entities"], "label") == expected


def main():
    server, address = start(sys.argv[1])
    try:
        tagged = requests.post(f"{address}/v1/tag", json={"text": TEXT}, timeout=60).json()
        expected = places(tagged["entities"], "label")
        assert len(expected) > 3 and tagged["topics"], tagged
        model = with_requests(address, expected, tagged["topics"])
        with_hugging_face(address, expected)
        with_triton(address, model, expected)
    finally:
        server.terminate()
    assert server.wait(60) == 0
    print(f"requests, huggingface_hub and tritonclient agree on {len(expected)} names and the topics")


main()
