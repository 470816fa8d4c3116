"""What one picture of a camera costs OpenCV in a process that is warm: opened, one picture decoded, made a JPEG, closed.

opencv.py URL RUNS prints milliseconds of CPU a run (all threads) and the median of the milliseconds by the clock.
"""

import os
import resource
import statistics
import sys
import time

os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp"

import cv2  # noqa: E402 - reads the variable above


def picture(url):
    camera = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    there, image = camera.read()
    made = there and cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[0]
    camera.release()
    if not made:
        sys.exit("OpenCV got no picture")


def cpu_ms():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


url, runs = sys.argv[1], int(sys.argv[2])
for _ in range(2):
    picture(url)
before, took_ms = cpu_ms(), []
for _ in range(runs):
    began = time.monotonic()
    picture(url)
    took_ms.append((time.monotonic() - began) * 1000)
print((cpu_ms() - before) / runs, statistics.median(took_ms))
