"""Where pretrained weights come from: torchvision, a package of the index, the hub that timm uses."""
