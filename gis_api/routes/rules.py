"""The rules that turn findings into alerts, as they run."""

from fastapi import APIRouter, Depends

from gis_api.auth import Caller, signed_in
from gis_api.problems import RESPONSES
from gis_api.wire.observations import RuleExample, RuleOut
from grid.sensing import rules

router = APIRouter(prefix="/api/rules", tags=["rules"], responses=RESPONSES)


@router.get("")
async def list_rules(caller: Caller = Depends(signed_in)) -> list[RuleOut]:
    """Every rule with the lines of its own table."""
    same = RuleOut.model_fields.keys() - {"examples", "kinds"}
    return [
        RuleOut(
            **{name: getattr(rule, name) for name in same},
            kinds=list(rule.kinds),
            examples=[RuleExample(name=e.name, expect=e.expect) for e in rule.examples],
        )
        for rule in rules.every().values()
    ]
