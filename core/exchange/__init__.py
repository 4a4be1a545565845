"""A Polymarket on loopback: matching, participants, wire servers.

The demo trades against it and the tests take it as ground truth. ``polymm-tui exchange`` serves it on one loopback
port; ``Exchange`` itself runs without a socket, as :mod:`core.lab.simulation` does it.

Where the venue's behaviour is not known, one was chosen:

- An account meets its own resting orders; such trades are marked ``self_trade`` in the ledger.
- All of an account's open BUY orders share one pool of cash, whatever their markets.
- Taker fees are paid in collateral on top of a BUY and out of the proceeds of a SELL.
- Bought tokens and sale proceeds can be used once their trade is MINED.
- A post with any immediate fill answers ``matched``, even when a part then rests. The part of a FAK order in shares
  that finds nothing ends as CANCELED; one in dollars ends as MATCHED.
- A sweep is one trade; its price on the user channel is the average, on the tape the last fill's.
- A market that has not traded yet shows its starting price as last trade price in its books.
- A delayed order cannot be cancelled, and its owner hears of it as PLACEMENT with status DELAYED, then
  as UPDATE, UNMATCHED when it rests.
- A closing market cancels what rests with CANCELED_MARKET_RESOLVED. A finer tick keeps all orders, a coarser one
  cancels those that are not on it; after either both books are sent.
- Orders that a restart does not keep vanish without a word. What falls due while the venue is down happens afterwards.
- Merging and redeeming take free tokens only: those that open SELL orders hold are refused.
- A failed trade gives its debts back, not its orders: they stay matched.
- Finished orders can still be read by id. Request timestamps may be five minutes off.
- ``/deployed`` says yes to every address; a wallet unknown so far is funded when its key is made, when its balance is
  asked for, or by its first order.
- Conversions need an event whose outcomes are all listed, exactly one of which comes true; the NO tokens given up are
  held by an account nobody has, as the contract holds them, and what they will pay is advanced.
- An order whose exchange contract may not take what it gives is refused with the shortest form of the balance error.
- A transaction's receipt logs what it moved of the wallet's cash, in one sum; other logs are left out.

Not built: combos, session keys, readonly and builder keys, limits per IP address.

The participants are generous to a market maker: they quote wide, and most takers know nothing. What is earned here
says nothing about what the venue would pay.
"""
