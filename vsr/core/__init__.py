"""The nouns: what every stage takes and gives. No cv2, no keras, no subprocess."""
