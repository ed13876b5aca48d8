"""The ladders: four rungs of parameters each, in the order of their price. Rungs are data; any list of configs is a
ladder too."""

import io

import pandas as pd

from cvtune_nb.errors import InputError
from cvtune_nb.parameters import Config

LADDERS: dict[str, pd.DataFrame] = {
    "resnet": pd.read_csv(io.StringIO("""\
rung,backbone,image_size,batch_size,learning_rate,epochs,dropout,weight_decay,head,optimizer,time_2018,accuracy_2018
1,resnet18,224,32,0.05,15,0.5,0.0005,random,sgd,1x,0.826
2,resnet18,500,16,0.025,15,0.5,0.0005,random,sgd,2-5x,0.902
3,resnet50,224,16,0.025,15,0.5,0.0005,random,sgd,2-5x,0.875
4,resnet50,500,8,0.01,15,0.5,0.0005,random,sgd,5-15x,0.928
""")),
    "efficientnet_lite": pd.read_csv(io.StringIO("""\
rung,backbone,image_size,batch_size,learning_rate,epochs,dropout,weight_decay,head,optimizer,time_2018,accuracy_2018
1,efficientnet_lite0,224,32,0.0003,8,0,0.01,svm,adamw,,
2,efficientnet_lite0,320,16,0.00015,8,0,0.01,svm,adamw,,
3,efficientnet_lite2,224,16,0.00015,8,0,0.01,svm,adamw,,
4,efficientnet_lite2,320,8,0.000075,8,0,0.01,svm,adamw,,
""")),
}  # fmt: skip
"""family -> table. The resnet rungs are 2018's, with the mean accuracy on three data sets that was published with
them (DESIGN section 3). The efficientnet_lite rungs climb in the same way, for networks whose weights are installed
with cvtune; they start from the SVM, so their rates are those that suit that start (parameters.py), halved together
with the minibatch."""


def ladder(family: str) -> list[Config]:
    """The rungs of a family, cheapest first. Raises InputError for a family that has no ladder."""
    if family not in LADDERS:
        raise InputError(f"there is no ladder for {family!r}: choose {' or '.join(LADDERS)}")
    names = [name for name in LADDERS[family].columns if name in Config.__dataclass_fields__]
    return [Config.from_values(**row) for row in LADDERS[family][names].to_dict("records")]
