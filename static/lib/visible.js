// What is near the window: only that is filled and kept up to date, so that a thousand cards cost what a screenful costs.

import { useEffect, useState } from "./html.js";

const MARGIN = "300px 0px";
const watched = new WeakMap();

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) watched.get(entry.target)?.(entry.isIntersecting);
}, { rootMargin: MARGIN });

/** `near`: the element of `ref` is in the window or about to be. */
export function useNear(ref) {
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = ref.current;
    watched.set(element, setNear);
    observer.observe(element);
    return () => {
      observer.unobserve(element);
      watched.delete(element);
    };
  }, []);
  return near;
}
