"""A Polymarket on loopback: matching, participants, wire servers.

The demo trades against it and the tests take it as ground truth. ``python -m core.exchange`` starts it as a process
of its own; the pure parts (``Exchange.step`` and ``Exchange.submit``) also run inside a simulation without a socket.

Where the venue's behaviour is not known, one was chosen:

- An account meets its own resting orders; such trades are marked ``self_trade`` in the ledger.
- All of an account's open BUY orders share one pool of cash, whatever their markets.
- Taker fees are paid in collateral on top of a BUY and out of the proceeds of a SELL.
- Bought tokens and sale proceeds can be used once their trade is MINED.
- A post with any immediate fill answers ``matched``, even when a part then rests. The part of a FAK order in shares
  that finds nothing ends as CANCELED; one in dollars ends as MATCHED.
- A sweep is one trade; its price on the user channel is the average, on the tape the last fill's.
- A market that has not traded yet shows its starting price as last trade price.
- Finished orders can still be read by id. Request timestamps may be five minutes off.
- ``/deployed`` says yes to every address; a wallet unknown so far is funded when its key is made, when its balance is
  asked for, or by its first order.

The participants are generous to a market maker: they quote wide, and most takers know nothing. What is earned here
says nothing about what the venue would pay.
"""
