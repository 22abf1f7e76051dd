"""Lightning's demo of a transformer, on text made here instead of WikiText."""

import lightning as L
import torch
from lightning.pytorch.demos import Transformer
from torch.utils.data import DataLoader, Dataset

WORDS = ("the quick brown fox jumps over a lazy dog and runs back to its den in green woods " * 60).split()


class Words(Dataset):
    def __init__(self):
        self.vocabulary = sorted(set(WORDS))
        self.ids = torch.tensor([self.vocabulary.index(word) for word in WORDS])

    def __len__(self):
        return len(self.ids) // 16 - 1

    def __getitem__(self, index):
        piece = self.ids[index * 16 : index * 16 + 17]
        return piece[:-1], piece[1:]


class Model(L.LightningModule):
    def __init__(self, vocab_size):
        super().__init__()
        self.model = Transformer(vocab_size=vocab_size, ninp=32, nhead=2, nhid=64)

    def training_step(self, batch, batch_idx):
        inputs, target = batch
        loss = torch.nn.functional.nll_loss(self.model(inputs, target), target.view(-1))
        self.log("train_loss", loss)
        return loss

    def test_step(self, batch, batch_idx):
        inputs, target = batch
        self.log("test_loss", torch.nn.functional.nll_loss(self.model(inputs, target), target.view(-1)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


L.seed_everything(42)
data = Words()
trainer = L.Trainer(max_epochs=3, accelerator="cpu", enable_progress_bar=False)
model = Model(len(data.vocabulary))
trainer.fit(model, DataLoader(data, batch_size=8, shuffle=True))
print(trainer.test(model, DataLoader(data, batch_size=8), verbose=False))
