"""The traps of aiortc 1.16 as a receiving server, each with a test that it does not catch us.

A test named `test_trap_NN_stock_...` shows the trap itself on aiortc as it comes (`stock.py`), or
with the mend taken away: so it fails, too, when a new aiortc no longer needs ours.

 #  trap                                   without us
 1  queues without a bound                 300 of 300 pictures are kept for nobody
 2  one lost Opus packet                   sound 200 ms later for ever
 3  one lost video packet                  the picture stands for 1 to 17 s, until 512 packets wait
 4  NACK sent once                         one in 300 packets
 5  PLI sent once                          900 frames decoded without a keyframe after it
 6  decoders do not tell of a lost frame   PSNR below 30 dB, is_corrupt False
 7  the last frame is held                 until the next one begins
 8  a step backwards is a wrap             timestamps 2^32 ahead
 9  sound and picture have their own zero  300 ms apart
10  RTCP BYE                               the decoder ends for ever
11  a stopped m-line in a later offer      ValueError
12  ICE restart                            answered with the old path
13  a dead peer                            "connected" 5 s later (30 s in all)
14  closed before there was media          recv() waits for ever
15  closing with a backlog                 the loop stands for a second
16  closing after a task has failed        stop() waits for ever
17  addresses that lead nowhere            "failed" at once; 5 s for a STUN server that is silent
18  a malformed header extension           the transport ends
19  two videos without a=ssrc              both are thrown away
20  the size changes                       recorded squeezed; 67 bytes cost 200 MB
21  a handler that is a coroutine          its failure goes to the loop, and to "error"
22  H.264 without parameter sets           nothing here sends H.264, and there is no WHEP: shown
23  VideoFrame.reformat                    keeps a scaler with every held frame
24  private names of another version       nobody says so before the first packet
25  hours                                  `python -m tests.bench soak`; in short, in virtual time:
                                           tests/unit/test_rtc_half_an_hour.py,
                                           tests/component/test_rtc_endurance.py

Details of the same subjects are beside the parts they are about: tests/unit/test_rtc_*.py,
tests/component/test_rtc_*.py, and tests/fuzz for 18.
"""
