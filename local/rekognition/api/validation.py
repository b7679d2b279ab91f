"""Check requests against AWS's model of Rekognition; errors have Rekognition's words."""

from typing import Any

from local import shapes
from local.rekognition.errors import RekognitionError, invalid_parameter, too_large
from local.shapes import ConstraintError, Path, Rule

Parameters = dict[str, Any]


def checked(operation: str, parameters: Any) -> Parameters:
    """Return the parameters, pictures as bytes, or raise an error for a broken constraint."""
    shape = shapes.model("rekognition").operation_model(operation).input_shape
    try:
        read: Parameters = shapes.read(shape, parameters)
    except ConstraintError as breach:
        raise _refusal(breach) from breach
    return read


def _refusal(breach: ConstraintError) -> RekognitionError:
    where = _written(breach.path)
    match breach.rule:
        case Rule.TYPE:
            return RekognitionError(
                "SerializationException", f"{where or 'Request'} has a wrong type"
            )
        case Rule.BASE64:
            return RekognitionError("SerializationException", f"{where} is not Base64")
        case Rule.MAX if breach.shape.type_name == "blob":
            return too_large()
    # No error repeats what may be a picture.
    shown = "null" if breach.value is None else "" if _is_blob(breach) else str(breach.value)[:64]
    return invalid_parameter(
        f"1 validation error detected: Value '{shown}' at '{where}' failed to satisfy constraint: "
        f"{_constraint(breach)}"
    )


def _is_blob(breach: ConstraintError) -> bool:
    return bool(breach.shape.type_name == "blob")


def _constraint(breach: ConstraintError) -> str:
    word = "value" if shapes.is_number(breach.shape) else "length"
    match breach.rule:
        case Rule.MIN:
            return f"Member must have {word} greater than or equal to {breach.limit}"
        case Rule.MAX:
            return f"Member must have {word} less than or equal to {breach.limit}"
        case Rule.PATTERN:
            return f"Member must satisfy regular expression pattern: {breach.limit}"
        case Rule.ENUM:
            return f"Member must satisfy enum value set: [{', '.join(breach.limit)}]"
    return "Member must not be null"


def _written(path: Path) -> str:
    parts = [f"{one}.member" if isinstance(one, int) else one[:1].lower() + one[1:] for one in path]
    return ".".join(parts)
