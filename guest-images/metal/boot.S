/*
 * Entry of the image, descriptor tables and interrupt entries.
 * A multiboot loader (v86, or QEMU's -kernel) leaves the processor in flat 32-bit protected mode without paging,
 * with its magic in EAX and the address of its information in EBX (Multiboot Specification 0.6.96, section 3.2).
 */
        .set MAGIC, 0x1BADB002
        .set FLAGS, 3                    /* modules on page boundaries, memory information */

        .section .multiboot, "a"
        .align 4
        .long MAGIC, FLAGS, -(MAGIC + FLAGS)

        .text
        .globl _start
_start: cli
        mov     $stack_top, %esp
        lgdt    gdt_pointer
        ljmp    $0x08, $1f
1:      mov     $0x10, %ecx
        mov     %ecx, %ds
        mov     %ecx, %es
        mov     %ecx, %fs
        mov     %ecx, %gs
        mov     %ecx, %ss
        cld
        push    %ebx
        push    %eax
        call    metal_main
2:      cli
        hlt
        jmp     2b

/* Interrupts come only while the main loop lets them (see main.c), so they keep to what must not wait. */
        .globl on_tick, on_nic, on_spurious, exception_entries
on_tick:
        push    %eax
        incl    ticks
        mov     $0x20, %al
        out     %al, $0x20
        pop     %eax
        iret
on_nic:
        pusha
        cld
        call    nic_interrupt
        mov     $0x20, %al
        out     %al, $0xA0
        out     %al, $0x20
        popa
        iret
on_spurious:
        iret

/* 32 entries of eight bytes each: push the vector, go to the common end. */
        .align 8
exception_entries:
        .set    vector, 0
        .rept   32
        .align  8
        pushl   $vector
        jmp     exception
        .set    vector, vector + 1
        .endr
exception:
        mov     4(%esp), %eax            /* the error code or EIP: either helps */
        push    %eax
        call    fault
        jmp     2b

        .section .rodata
        .align 8
gdt:    .quad   0
        .quad   0x00CF9A000000FFFF       /* code: base 0, limit 4 GiB, 32 bits */
        .quad   0x00CF92000000FFFF       /* data */
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt

        .bss
        .align 16
        .skip   16384
stack_top:
        .section .note.GNU-stack, "", @progbits
