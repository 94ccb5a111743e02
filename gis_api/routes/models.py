"""Model weights and the camera algorithms that run on them."""

from dataclasses import asdict

from fastapi import APIRouter, Depends

from gis_api.auth import Caller, signed_in
from gis_api.params import settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.cameras import DetectorOut, ModelOut
from grid.settings import Settings
from imagery.cameras import weights
from imagery.cameras.detectors import Standing, standings

router = APIRouter(prefix="/api", tags=["cameras"], responses={401: RESPONSES[401]})


def _detector(entry: Standing) -> DetectorOut:
    detector = entry.detector
    return DetectorOut(
        id=detector.id,
        version=detector.version,
        title=detector.title,
        title_en=detector.title_en,
        scenes=sorted(detector.scenes),
        kinds=dict(detector.kinds),
        threshold=detector.threshold,
        need=detector.rule.need,
        within_s=detector.rule.within.total_seconds(),
        in_zone=detector.in_zone,
        only_zones=detector.only_zones,
        gathers=detector.gather is not None,
        measured=detector.measured,
        available=entry.model is not None,
        model=entry.model.card.id if entry.model else None,
        model_sha256=entry.model.card.sha256 if entry.model else None,
        reason=entry.reason,
        remedy=entry.remedy,
    )


@router.get("/models")
def models(caller: Caller = Depends(signed_in), settings: Settings = Depends(settings_of)) -> list[ModelOut]:
    """Weights on disk, by id, with class names, hash, licence and provenance."""
    cards = [asdict(model.card) for model in weights.list_models(weights.models_dir(settings.data_dir))]
    return [ModelOut(**{name: card[name] for name in ModelOut.model_fields}) for card in cards]


@router.get("/detectors")
def detectors(any_weights: bool = False, caller: Caller = Depends(signed_in), settings: Settings = Depends(settings_of)) -> list[DetectorOut]:
    """Camera algorithms, by id; one without weights is listed as unavailable with the reason and the remedy. With `any_weights` also every class of each
    model, which a zone may name."""
    return [_detector(entry) for entry in standings(weights.models_dir(settings.data_dir), weights=any_weights)]
