"""Saves a comparison of runs as a W&B workspace."""

from pix2pix.config.metric_names import METRICS
from pix2pix.evaluation.comparison import Comparison
from pix2pix.runs.wandb_id import run_id

PANELS_A_ROW = 3


def save_workspace(comparison: Comparison, *, project: str, entity: str | None = None, name: str) -> str:
    """Creates a workspace of the runs in a W&B project and returns its address.

    Args:
        comparison: a comparison of runs that were logged to W&B.
        project: the W&B project of the runs.
        entity: user or team of the project; None for the account's default.
        name: name of the workspace.

    Raises:
        ValueError: when runs were not logged to W&B, no account or no `wandb-workspaces` is available, or W&B rejects
            the workspace.
    """
    try:
        import wandb
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise ValueError(
            "--wandb needs the extra `workspaces`: pip install 'pix2pix[workspaces]' (wandb-workspaces)."
        ) from error
    unlogged = [str(entry.run.path) for entry in comparison.entries if not (entry.run.path / "wandb/id").is_file()]
    if unlogged:
        raise ValueError(f"not logged to W&B: {', '.join(unlogged)}. Train with logger=wandb, or omit them.")
    if not wandb.login(prompt=False):
        raise ValueError("--wandb: no W&B account is configured. Run `wandb login`, or set WANDB_API_KEY.")
    try:
        owner = entity or wandb.Api().default_entity or ""
        workspace = ws.Workspace(
            entity=owner, project=project, name=name, sections=_sections(), runset_settings=_runs(comparison)
        )
        workspace.save()
    except Exception as error:  # network and server raise many kinds of errors
        raise ValueError(f"--wandb: W&B rejected the workspace ({error}).") from error
    return workspace.url


def _sections() -> list:
    """The panels; pictures first, with the runs as columns and the pairs as rows."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    metrics = [name for name in METRICS if name in {"ssim", "l1", "psnr", "ms_ssim", "pixel_accuracy"}]
    parts = {
        "Validation pairs": [wr.MediaBrowser(title="input, output, target", media_keys=["samples/val"], num_columns=1)],
        "Validation metrics": [wr.LinePlot(title=name, x="Step", y=[f"val/{name}"]) for name in metrics],
        "Networks": [
            wr.LinePlot(title="accuracy of D", x="Step", y=["accuracy/d_real", "accuracy/d_fake"], range_y=(0, 1)),
            wr.LinePlot(title="losses of D", x="Step", y=["loss/d_real", "loss/d_fake"]),
            wr.LinePlot(title="adversarial loss of G", x="Step", y=["loss/g_gan"]),
            wr.LinePlot(title="variation and correlation of outputs", x="Step", y=["val/variation", "val/correlation"]),
        ],
        "Results": [wr.WeavePanelSummaryTable(table_name="evaluation"), wr.RunComparer(diff_only=True)],
    }
    layout = ws.SectionLayoutSettings(columns=PANELS_A_ROW)
    return [
        ws.Section(name=title, panels=panels, is_open=True, layout_settings=layout) for title, panels in parts.items()
    ]


def _runs(comparison: Comparison):
    """Selects these runs and groups them by the settings that differ, other than the seed."""
    import wandb_workspaces.workspaces as ws

    differing = [key for key in comparison.differing_settings() if key != "seed"]
    ids = [run_id(entry.run) for entry in comparison.entries]
    several_seeds = len(comparison.groups) < len(comparison.entries)
    return ws.RunsetSettings(
        filters=[ws.Metric("ID").isin(ids)], groupby=[ws.Config(key) for key in differing] if several_seeds else []
    )
