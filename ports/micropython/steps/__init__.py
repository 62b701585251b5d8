"""What makes the chip's code small: steps from sources to sources, in the order of `chip_tree.STEPS`.

    fold        the numbers of the protocol where they are used
    shake       what nobody uses is left out          exceptions: types that nobody tells apart
    bundle      what is always loaded as one file
    literals    constant texts and tuples where they are read
    simplify    constant tuples as comparisons and bits
    unfold      comprehensions as loops               order: what may be computed before what
    tuples      namedtuples as plain tuples           tuple_kinds, tuple_uses, fields
    singles     classes of one object as functions    single_classes; here: the list that files share
    inline      what is called at one place, there    callees
    pool        texts for people in one text
    settle      what one file alone calls, in that file
    merge       functions as branches of few          frames, imported
    places      functions in the shared list
    shorten     private names as short ones

Each is text -> text for all files of a chip at once, Python before and after, and either the same program or an error.
`flow` tells what an expression may be an object of (flow_program, flow_values, flow_calls, flow_walk), `scopes` what a
function binds.
"""
