HEAPS={"romfs":"128K"}
def heap_of(form): return HEAPS[form]
