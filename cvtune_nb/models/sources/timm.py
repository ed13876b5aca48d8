"""Any network of timm, with the weights that it names."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from cvtune_nb.errors import InputError
from cvtune_nb.models import downloads
from cvtune_nb.models.downloads import Remote
from cvtune_nb.models.sources import torch_hub
from cvtune_nb.models.sources.source import DAMAGED, INSTALLED, Source
from cvtune_nb.quiet import quiet

if TYPE_CHECKING:
    from timm.models import PretrainedCfg
    from torch import nn

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names that weights have on the hub."""

EARLIER = {
    "tf_efficientnetv2_s.in21k_ft_in1k": "tf_efficientnetv2_s_21ft1k-d7dafa41.pth",
    "vit_small_patch14_dinov2.lvd142m": "dinov2_vits14_pretrain.pth",
    "vit_base_patch14_dinov2.lvd142m": "dinov2_vitb14_pretrain.pth",
    "vit_large_patch14_dinov2.lvd142m": "dinov2_vitl14_pretrain.pth",
    "convnext_base.fb_in22k_ft_in1k": "convnext_base_22k_1k_224.pth",
    "swinv2_base_window12to16_192to256.ms_in22k_ft_in1k": "swinv2_base_patch4_window12to16_192to256_22kto1k_ft.pth",
    "vit_small_patch16_224.augreg_in21k_ft_in1k": "S_16-i21k-300ep-lr_0.001-aug_light1-wd_0.03-do_0.0-sd_0.0--"
    "imagenet2012-steps_20k-lr_0.03-res_224.npz",
}
"""Files in which earlier versions of timm kept weights of the catalogue's networks with PyTorch's hub."""


def _listed(name: str) -> bool:
    """Whether the catalogue has it, with the tag of its weights: these are on the hub under its name, unasked."""
    from cvtune_nb.models.families import KNOWN  # which knows these classes

    return name in KNOWN and "." in name


class Timm(Source):
    """Any network of timm; weights come from the hub that it names, and lie in the hub's cache."""

    def config(self, name: str) -> "PretrainedCfg":
        """What timm says of the weights of a network."""
        import timm
        from timm.models import PretrainedCfg

        return timm.get_pretrained_cfg(name) or PretrainedCfg()

    def files(self, name: str) -> tuple[str, ...]:
        """The names that they may have on the hub, the better first."""
        stated = "" if _listed(name) else self.config(name).hf_hub_filename
        return (stated,) if stated else HUB_FILES

    def repository(self, name: str) -> tuple[str, str | None]:
        """Where on the hub, and which revision of it; "" where they are not there."""
        if _listed(name):
            return f"timm/{name}", None
        repository, _, revision = (self.config(name).hf_hub_id or "").partition("@")
        return repository, revision or None

    def url(self, name: str) -> str:
        """Where else they are; "" where they are on the hub only."""
        url = self.config(name).url
        return url if isinstance(url, str) else ""

    def published(self, name: str) -> bool:
        """As Source says."""
        return bool(self.repository(name)[0] or self.url(name))

    def file(self, name: str) -> Path | None:
        """As Source says."""
        from huggingface_hub import try_to_load_from_cache

        repository, revision = self.repository(name)
        for file in self.files(name) if repository else ():
            found = try_to_load_from_cache(repository, file, revision=revision)
            if isinstance(found, str):
                return Path(found)
        kept = EARLIER.get(name, "") if _listed(name) else self.url(name)
        return torch_hub.file_of(kept) if kept and torch_hub.file_of(kept).exists() else None

    def server(self, name: str) -> str:
        """As Source says."""
        from huggingface_hub import constants

        if not self.repository(name)[0]:
            return self.url(name)
        return "" if constants.HF_HUB_OFFLINE else constants.ENDPOINT

    def remote(self, name: str) -> Remote:
        """As Source says: the hub names the SHA-256 of large files."""
        from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError, GatedRepoError
        from huggingface_hub.file_download import repo_folder_name
        from huggingface_hub.utils import build_hf_headers, disable_progress_bars

        repository, revision = self.repository(name)
        if not repository:
            return torch_hub.remote(self.url(name))
        disable_progress_bars()  # those of the hub, between our own lines
        for file in self.files(name):
            url = hf_hub_url(repository, file, revision=revision, endpoint=constants.ENDPOINT)
            try:
                about = get_hf_file_metadata(url, timeout=downloads.SILENCE)
            except EntryNotFoundError:
                continue
            except GatedRepoError:
                raise InputError(
                    f"the weights of {name} are given only to those who accept their licence: accept it on "
                    f"{constants.ENDPOINT}/{repository}, sign in once (hf auth login), then try again"
                ) from None
            except Exception as error:  # noqa: BLE001 - the hub's client raises errors of several libraries
                raise OSError(str(error) or type(error).__name__) from None
            if not about.etag or not re.fullmatch(r"[0-9a-f]{32,64}", about.etag):
                raise OSError(f"{url} does not say what it holds")
            blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model") / "blobs"
            same_host = urlparse(about.location)[:2] == urlparse(url)[:2]  # scheme, name and port

            def link(file: str = file) -> None:  # the hub's own way to put what has come into its cache
                with quiet("huggingface_hub"):
                    hf_hub_download(repository, file, revision=revision, endpoint=constants.ENDPOINT)

            return Remote(
                about.location,
                blobs / about.etag,
                about.etag if len(about.etag) == 64 else "",
                about.size,
                build_hf_headers() if same_host else {},
                link,
            )
        raise OSError(f"{repository} on the hub has none of {', '.join(self.files(name))}")

    def megabytes(self, name: str) -> float:
        """As Source says: what the catalogue says, else 4 bytes for each parameter; 0 for a name that nobody knows."""
        import timm

        from cvtune_nb.models import families, sizes  # which know this class

        if listed := families.KNOWN.get(name):
            return listed.download_mb
        return 4e-6 * sizes.parameters(name) if timm.is_model(name) else 0.0

    def place(self, name: str) -> str:  # noqa: ARG002
        """As Source says."""
        return "the cache folder that HF_HOME names"

    def build(self, name: str, file: Path | None, **given: Any) -> "nn.Module":
        """As Source says."""
        import timm
        from safetensors import SafetensorError

        # of timm: tensors of the last layer, which is left out here
        with quiet("timm"):
            if file is None:
                return timm.create_model(name, pretrained=False, num_classes=0, **given)
            own = {"file": str(file), "custom_load": file.suffix == ".npz"}
            try:
                return timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=own, **given)
            except (*DAMAGED, SafetensorError) as error:
                why = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
                raise InputError(
                    f"the weights of {name} in {file} are damaged or of another network ({why}): delete the file and "
                    f"connect to the network, or choose {INSTALLED}"
                ) from None

    def renamed(self, name: str, tensors: dict[str, Any], network: "nn.Module") -> dict[str, Any]:
        """As Source says: as timm's own weights of this architecture are, their tables of positions resampled."""
        import timm

        # most architectures have one; the others' files need no change
        convert = getattr(sys.modules[timm.model_entrypoint(name).__module__], "checkpoint_filter_fn", None)
        with quiet("timm"):
            return convert(tensors, network) if convert else tensors

    def last_layer(self, name: str) -> tuple[str, ...]:
        """As Source says."""
        import timm

        config = timm.get_pretrained_cfg(name)
        named = (config and config.classifier) or ()
        return (named,) if isinstance(named, str) else tuple(named)
