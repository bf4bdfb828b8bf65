"""The query language once more, written naively over Python dicts and without SQL: what property tests compare with."""
