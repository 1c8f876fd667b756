#!/usr/bin/env python3
"""The local wheel and the requirements file that some scenarios name:  make_assets.py FOLDER"""
import os
import sys

from make_env import build_stub

folder = os.path.abspath(sys.argv[1])
os.makedirs(folder, exist_ok=True)
build_stub({"name": "mytool", "version": "1.0", "top": ["mytool"], "tag": "py3-none-any", "python": ">=3.9", "extras": [],
            "requires": ["black>=25.9", "requests", "rich>=13"]}, folder)
with open(os.path.join(folder, "requirements.txt"), "w") as f:
    f.write("""# a project's requirements, as one finds them in repositories
accelerate>=0.34
datasets>=2.18
transformers>=4.50,<5
peft>=0.13
evaluate
sentencepiece
tiktoken
wandb>=0.17
omegaconf==2.3.0
hydra-core>=1.3
rich
tqdm
einops>=0.7
numpy<2
scikit-learn
""")
