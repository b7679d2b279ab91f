"""moto with less work in each call; its answers stay the same."""

import copy
import functools

import botocore.session
import botocore.useragent
import moto.core.responses
import pytest
from moto.core.base_backend import BaseBackend
from moto.core.serialize import ResponseSerializer
from moto.dynamodb.models import DynamoDBBackend, Table
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing.ast_nodes import (
    DepthFirstTraverser,
    Expression,
    Node,
    UpdateExpressionFunction,
)


def patch_moto(patch: pytest.MonkeyPatch) -> None:
    """Compute once what each call computes, and leave out what no call needs."""
    # moto begins a session for each test, and each session would read AWS's models again.
    for module, name in (
        (botocore.session, "create_loader"),
        (moto.core.responses, "method_names_from_class"),
    ):
        patch.setattr(module, name, functools.cache(getattr(module, name)))
    patch.setattr(botocore.useragent.UserAgentString, "to_string", lambda _: "tests")
    _read_urls_once(patch)
    _look_up_only_what_a_value_has(patch)
    _ask_for_classes_once(patch)
    _copy_only_rows_that_change(patch)


def _read_urls_once(patch: pytest.MonkeyPatch) -> None:
    """moto forms all URL patterns of a service for each request; they are the same for a class."""
    form, kept = BaseBackend.urls.fget, {}

    def urls(backend):
        service = type(backend)
        if service not in kept:
            kept[service] = form(backend)
        return kept[service]

    patch.setattr(BaseBackend, "urls", property(urls))


def _look_up_only_what_a_value_has(patch: pytest.MonkeyPatch) -> None:
    """moto looks for all ten kinds of an attribute's value, each under several names."""
    whole = ResponseSerializer._serialize_type_structure

    def of_a_value(serializer, serialized, value, shape, key):
        if shape.name != "AttributeValue" or type(value) is not dict:
            whole(serializer, serialized, value, shape, key)
            return
        made = {}
        for kind, inner in value.items():
            serializer._serialize(made, inner, shape.members[kind], kind)
        serializer._default_serialize(serialized, made, shape, key)

    patch.setattr(ResponseSerializer, "_serialize_type_structure", of_a_value)


IS_A = functools.cache(issubclass)  # an abstract class takes long to say so


def _ask_for_classes_once(patch: pytest.MonkeyPatch) -> None:
    """moto asks each node of an expression ten times for its classes."""

    def find_clauses(node, clause_types):
        found = []
        for child in node.children or ():
            if type(child) in clause_types:
                found.append(child)
            elif IS_A(type(child), (Expression, UpdateExpressionFunction)):
                found += child.find_clauses(clause_types)
        return found

    patch.setattr(Node, "find_clauses", find_clauses)
    patch.setattr(DepthFirstTraverser, "traverse_node_recursively", _traverse)


def _traverse(traverser, node, child_id=-1):
    if not IS_A(type(node), Node):
        return node
    parent, kinds = node.parent, traverser._processing_map()
    for at, child in enumerate(node.children or ()):
        traverser.pre_processing_of_child(node, at)
        _traverse(traverser, child, at)
    kind = next((one for one in kinds if IS_A(type(node), one)), None)
    if kind is not None:
        node = kinds[kind](node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
    return node


def _copy_only_rows_that_change(patch: pytest.MonkeyPatch) -> None:
    """moto copies the whole table for each operation of a transaction, in case it fails.

    Only an update changes a row in place, so here the update copies its row.
    """
    update = DynamoDBBackend.update_item

    def copied(table, _memo):
        made = copy.copy(table)
        made.items = table.items.copy()
        made.items.update({key: rows.copy() for key, rows in table.items.items()})
        return made

    def update_a_copy(self, table_name, key, *rest, **named):
        table = self.get_table(table_name)
        if table.hash_key_attr in key and table.range_key_attr in key:
            names = table.hash_key_attr, table.range_key_attr
            partition, sort = (DynamoType(key[name]) for name in names)
            if (row := table.get_item(partition, sort)) is not None:
                table.items[partition][sort] = copy.deepcopy(row)
        return update(self, table_name, key, *rest, **named)

    patch.setattr(Table, "__deepcopy__", copied, raising=False)
    patch.setattr(DynamoDBBackend, "update_item", update_a_copy)
